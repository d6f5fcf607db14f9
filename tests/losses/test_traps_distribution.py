"""Mistakes around the cross entropies, each shown not to happen here."""

import math

import pytest
import torch

from harness.losses import LOSSES, Batch


def test_topk_chooses_from_the_batch_not_from_each_image():
    """All hard pixels lie in image 2: the mean over the worst tenth is theirs."""
    labels = torch.zeros(2, 10, 10, dtype=torch.long)
    logits = torch.zeros(2, 2, 10, 10)
    logits[0, 0], logits[1, 1] = 9.0, 9.0
    assert LOSSES["topk_ce"]()(logits, labels).item() == pytest.approx(9.0, abs=1e-3)


def test_topk_of_a_tiny_batch_is_its_worst_pixel():
    logits, labels = torch.tensor([[[[0.0, 2.0]], [[0.0, 0.0]]]]), torch.tensor([[[0, 0]]])
    assert LOSSES["topk_ce"](k=10)(logits, labels).item() == pytest.approx(math.log(2))


def test_topk_counts_what_is_not_ignored(noise):
    logits, labels = noise(batch=1, height=1, width=40)
    ignored = torch.cat([labels, torch.full((1, 1, 60), 255)], 2)
    longer = torch.cat([logits, torch.randn(1, 3, 1, 60, dtype=torch.float64)], 3)
    for k in (10, 25, 50, 100):
        expected = LOSSES["topk_ce"](k=float(k))(logits, labels)
        torch.testing.assert_close(LOSSES["topk_ce"](k=float(k), ignore_label=255)(longer, ignored), expected)


def test_label_smoothing_is_that_of_torch_and_best_at_the_smoothed_labels(noise):
    logits, labels = noise()
    torch.testing.assert_close(
        LOSSES["label_smoothed_ce"](smoothing=0.2)(logits, labels),
        torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2),
    )
    smoothed = 0.9 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).double() + 0.1 / 3
    entropy = -(smoothed * smoothed.log()).sum(1).mean()
    z = smoothed.log().requires_grad_()
    value = LOSSES["label_smoothed_ce"]()(z, labels)
    value.backward()
    torch.testing.assert_close(value.detach(), entropy)
    torch.testing.assert_close(z.grad, torch.zeros_like(z), atol=1e-12, rtol=0)


def test_distance_penalised_ce_is_not_plain_ce(noise):
    logits, labels = noise()
    labels[:] = 0
    labels[:, 1:5, 1:4] = 1
    ce, penalised = (LOSSES[name]()(logits, labels) for name in ("ce", "distance_ce"))
    assert ce < penalised < 2 * ce


def test_distance_penalty_is_high_beside_a_boundary_and_0_at_the_deepest_point():
    labels = torch.zeros(1, 9, 9, dtype=torch.long)
    labels[0, 2:7, 2:7] = 1
    labels[0, 0, 0] = 2
    F = LOSSES["distance_ce"]().penalty(Batch.of(torch.zeros(1, 3, 9, 9), labels))[0]
    assert F[4, 4] == 0
    assert F[2, 4].item() == pytest.approx(2 / 3)  # d = 1, M = 3
    assert F[0, 0] == 0  # one pixel thick: not stressed
    assert F.max() < 1


def test_distance_penalty_knows_the_spacing():
    labels = torch.zeros(1, 6, 6, dtype=torch.long)
    labels[0, 1:5, 1:4] = 1
    logits = torch.randn(1, 2, 6, 6)
    loss = LOSSES["distance_ce"]()
    plain, wide, scaled = (
        loss(logits, labels, spacing=torch.tensor(spacing))
        for spacing in ([1.0, 1.0], [1.0, 4.0], [3.0, 3.0])
    )
    assert plain != wide
    torch.testing.assert_close(plain, scaled)


def test_poly1_adds_outside_of_the_logarithm(example):
    logits, labels = example("E2")
    p_y = torch.tensor([0.9, 0.7, 0.6, 0.1], dtype=torch.float64)
    value = LOSSES["poly1_ce"](epsilon1=2.5)(logits, labels)
    torch.testing.assert_close(value, (-p_y.log() + 2.5 * (1 - p_y)).mean())
