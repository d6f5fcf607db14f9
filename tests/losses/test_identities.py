"""Equations between losses, and what must leave a loss unchanged, on random inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.losses import LOSSES

POINTWISE = [
    name
    for name in LOSSES
    if LOSSES[name].family in {"distribution", "region"} and "distance_maps" not in LOSSES[name].needs
]


@st.composite
def batches(draw):
    """Random logits and labels, with absent classes and lone pixels among them."""
    images, classes = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([0.1, 1.0, 10.0]))
    shape = (images, classes, height, width)
    logits = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    top = draw(st.integers(1, classes))
    return logits, torch.randint(0, top, (images, height, width), generator=generator)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_losses_that_are_cross_entropy(batch):
    logits, labels = batch
    ce = torch.nn.functional.cross_entropy(logits, labels)
    equal_counts = torch.ones(logits.shape[1])
    torch.testing.assert_close(LOSSES["ce"]()(logits, labels), ce)
    torch.testing.assert_close(LOSSES["focal"](gamma=0)(logits, labels), ce)
    torch.testing.assert_close(LOSSES["weighted_ce"](power=0)(logits, labels), ce)
    torch.testing.assert_close(LOSSES["weighted_ce"]()(logits, labels, class_counts=equal_counts), ce)


@settings(max_examples=30, deadline=None)
@given(batches(), st.floats(0.01, 100))
def test_weighted_ce_is_that_of_torch(batch, ratio):
    logits, labels = batch
    counts = torch.tensor([1.0, *[ratio] * (logits.shape[1] - 1)], dtype=torch.float64)
    torch.testing.assert_close(
        LOSSES["weighted_ce"]()(logits, labels, class_counts=counts),
        torch.nn.functional.cross_entropy(logits, labels, weight=1 / counts),
    )


@pytest.mark.parametrize("name", list(LOSSES))
@settings(max_examples=15, deadline=None)
@given(batch=batches())
def test_a_constant_on_all_logits_of_a_pixel_changes_nothing(name, batch):
    logits, labels = batch
    shift = torch.randn_like(logits[:, :1])
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits + shift, labels), loss(logits, labels))


@pytest.mark.parametrize("name", POINTWISE)
@settings(max_examples=15, deadline=None)
@given(batch=batches(), seed=st.integers(0, 100))
def test_pixels_have_no_place(name, batch, seed):
    logits, labels = (part.flatten(-2).unsqueeze(-2) for part in batch)
    order = torch.randperm(labels.shape[-1], generator=torch.Generator().manual_seed(seed))
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits[..., order], labels[..., order]), loss(logits, labels))


@pytest.mark.parametrize("name", ["ce", "weighted_ce", "focal", "gdl"])
@settings(max_examples=15, deadline=None)
@given(batch=batches())
def test_classes_have_no_order_where_all_count(name, batch):
    logits, labels = batch
    last = logits.shape[1] - 1
    loss = LOSSES[name]()
    torch.testing.assert_close(loss(logits.flip(1), last - labels), loss(logits, labels))


@pytest.mark.parametrize("name", ["dice", "gdl"])
@settings(max_examples=20, deadline=None)
@given(batch=batches(), absent=st.sampled_from(["ignore", "smooth", "penalise"]))
def test_region_losses_lie_in_0_to_1_and_one_image_is_a_batch(name, batch, absent):
    logits, labels = batch[0][:1], batch[1][:1]
    by_batch = LOSSES[name](absent=absent)(logits, labels)
    by_sample = LOSSES[name](absent=absent, reduce="sample")(logits, labels)
    assert -1e-9 <= by_batch.item() <= 1 + 1e-9
    torch.testing.assert_close(by_batch, by_sample)
