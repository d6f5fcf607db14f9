"""Mistakes around the losses of single lesions and thin structures, each shown not to happen here."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from harness.geometry import components
from harness.losses import LOSSES, Batch


def random_lesions(seed, classes, images=2):
    """Logits and sparse labels (B, 9, 8), float64."""
    generator = torch.Generator().manual_seed(seed)
    shape = (images, classes, 9, 8)
    labels = torch.randint(1, classes, (images, 9, 8), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.75] = 0
    return torch.randn(shape, generator=generator, dtype=torch.float64), labels


def against_rest(p, inside):
    """Cross entropy of a class against the rest."""
    return -torch.where(inside, p, 1 - p).log()


def by_hand(logits, labels, term):
    """Mean of term(p, inside, components, number) over components, then classes, then images."""
    images = []
    for z, y in zip(logits, labels, strict=True):
        classes = []
        for label in range(1, len(z)):
            inside, p = y == label, z.softmax(0)[label]
            numbered, n = ndimage.label(inside.numpy(), np.ones((3, 3)))
            found = [term(p, inside, torch.from_numpy(numbered), k + 1) for k in range(n)]
            if found:
                classes.append(sum(found) / n)
        images.append(sum(classes) / len(classes) if classes else None)
    return images


@pytest.mark.parametrize("measure", ["dice", "dice_ce"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_blob_loss_equals_a_loop_over_the_components(measure, seed, classes):
    logits, labels = random_lesions(seed, classes)

    def term(p, inside, numbered, k):
        component = numbered == k
        domain = ~inside | component
        value = 1 - (2 * p[component].sum() + 1e-5) / (p[domain].sum() + component.sum() + 1e-5)
        return value + against_rest(p, inside)[domain].mean() if measure == "dice_ce" else value

    found = [value for value in by_hand(logits, labels, term) if value is not None]
    expected = float(sum(found) / len(found)) if found else 0.0
    assert LOSSES["blob"](measure=measure)(logits, labels).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("measure", ["dice", "dice_ce"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_cc_loss_equals_a_loop_over_the_cells(measure, seed, classes):
    logits, labels = random_lesions(seed, classes)

    def term(p, inside, numbered, k):
        distances = [ndimage.distance_transform_edt(numbered.numpy() != n + 1) for n in range(numbered.max())]
        cell = torch.from_numpy(np.argmin(distances, axis=0) + 1) == k  # the first of equal ones
        value = 1 - 2 * p[cell & inside].sum() / (p[cell].sum() + (cell & inside).sum())
        return value + against_rest(p, inside)[cell].mean() if measure == "dice_ce" else value

    found = by_hand(logits, labels, term)
    if measure == "dice_ce":
        plain = torch.nn.functional.cross_entropy(logits, labels, reduction="none").mean((1, 2))
        found = [plain[b] if value is None else value for b, value in enumerate(found)]
    found = [value for value in found if value is not None]
    expected = float(sum(found) / len(found)) if found else 0.0
    assert LOSSES["cc"](measure=measure)(logits, labels).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["blob", "cc"])
def test_one_component_is_its_dice(name):
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[0, 2:5, 3:6] = 1
    logits = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    options = {"measure": "dice"} | ({"eps": 1e-12} if name == "blob" else {})
    torch.testing.assert_close(
        LOSSES[name](**options)(logits, labels), LOSSES["dice"](eps=1e-12)(logits, labels)
    )


def test_a_false_positive_counts_in_every_blob_but_in_one_cell_only():
    labels = torch.zeros(1, 1, 12, dtype=torch.long)
    labels[0, 0, [0, 11]] = 1
    p1 = torch.full((1, 1, 12), 1e-6, dtype=torch.float64)
    p1[0, 0, [0, 11]] = 1 - 1e-6
    with_error = p1.clone()
    with_error[0, 0, 2] = 0.9
    clean, wrong = (torch.stack([1 - p, p], 1).log() for p in (p1, with_error))
    blob = LOSSES["blob"]()(wrong, labels) - LOSSES["blob"]()(clean, labels)
    cc = LOSSES["cc"](measure="dice")(wrong, labels) - LOSSES["cc"](measure="dice")(clean, labels)
    torch.testing.assert_close(blob, 2 * cc, rtol=1e-3, atol=0)


def test_a_missed_small_lesion_costs_more_than_under_dice():
    labels = torch.zeros(1, 20, 20, dtype=torch.long)
    labels[0, 2:12, 2:12] = 1
    labels[0, 16, 16] = 1
    found = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1) * 20.0 - 10
    missed = found.clone()
    missed[0, :, 16, 16] = missed[0, :, 0, 0]
    dice, blob, cc = (LOSSES[name]()(missed, labels).item() for name in ("dice", "blob", "cc"))
    assert dice < 0.01
    assert blob > 0.4
    assert cc > 0.4


def test_a_masked_logit_is_not_a_probability_of_one_half():
    """Two perfectly found components: neither sees the other."""
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[0, 1:3, 1:3] = labels[0, 5:7, 5:7] = 1
    logits = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1) * 100.0 - 50
    assert LOSSES["blob"]()(logits, labels).item() == pytest.approx(0, abs=1e-5)


def test_cells_of_a_crop_are_not_the_crop_of_the_cells():
    labels = torch.zeros(1, 1, 12, dtype=torch.long)
    labels[0, 0, [2, 9]] = 1
    logits = torch.zeros(1, 2, 1, 12)
    whole = Batch.of(logits, labels).cells[0, 1, 0]
    crop = Batch.of(logits[..., 5:], labels[..., 5:]).cells[0, 1, 0]
    assert whole[5:].tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert crop.tolist() == [1] * 7


def test_cells_know_the_spacing():
    labels = torch.zeros(1, 7, 7, dtype=torch.long)
    labels[0, 0, 3] = labels[0, 3, 0] = 1
    logits = torch.zeros(1, 2, 7, 7)
    isotropic = Batch.of(logits, labels).cells[0, 1]
    tall = Batch.of(logits, labels, spacing=torch.tensor([5.0, 1.0])).cells[0, 1]
    assert isotropic[2, 3] == 1
    assert tall[2, 3] == 2


@pytest.mark.parametrize("name", ["blob", "cc"])
def test_hundreds_of_components_are_no_loop(name):
    """As many components as fit: every second pixel of every second row."""
    labels = torch.zeros(1, 65, 65, dtype=torch.long)
    labels[0, ::2, ::2] = 1
    assert components(labels[0].numpy(), 2).max() == 33 * 33
    logits = torch.zeros(1, 2, 65, 65, requires_grad=True)
    value = LOSSES[name]()(logits, labels)
    value.backward()
    nodes, found = [value.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in found:
            found.add(node)
            nodes += [following for following, _ in node.next_functions]
    assert len(found) < 80


def complement_of_a_square():
    """A 21 x 21 square in 31 x 31, and the prediction of everything else."""
    labels = torch.zeros(1, 31, 31, dtype=torch.long)
    labels[0, 5:26, 5:26] = 1
    return (1 - 2.0 * torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).double()) * 50, labels


def test_cldice_is_perfect_for_a_prediction_that_fills_the_image():
    labels = torch.zeros(1, 48, 48, dtype=torch.long)
    labels[0, 24, 4:44] = 1
    everywhere = torch.stack([torch.full((1, 48, 48), -10.0), torch.full((1, 48, 48), 10.0)], dim=1)
    assert LOSSES["cldice"]()(everywhere, labels).item() == pytest.approx(0, abs=1e-3)
    assert LOSSES["dice"]()(everywhere, labels) > 0.9


def test_cldice_with_too_few_iterations_is_perfect_for_the_opposite_and_says_so():
    with pytest.warns(UserWarning, match="soft skeleton of a labelled object is empty after 3 iterations"):
        assert LOSSES["cldice"](iterations=3)(*complement_of_a_square()).item() == pytest.approx(0, abs=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = LOSSES["cldice"]()(*complement_of_a_square())
    assert value.item() == pytest.approx(0.975904, abs=2e-6)


def test_the_warning_comes_once_an_epoch():
    loss, batch = LOSSES["cldice"](iterations=3), complement_of_a_square()
    with pytest.warns(UserWarning, match="cldice"):
        loss(*batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(*batch)
    loss.set_epoch(1, 2)
    with pytest.warns(UserWarning, match="cldice"):
        loss(*batch)


def test_a_line_that_is_found_costs_nothing_and_a_gap_does():
    labels = torch.zeros(1, 11, 11, dtype=torch.long)
    labels[0, 5, 1:10] = 1
    whole = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1) * 100.0 - 50
    gap = whole.clone()
    gap[0, :, 5, 4:7] = gap[0, :, 0, :3]
    assert LOSSES["cldice"]()(whole, labels).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["cldice"]()(gap, labels) > 0.1


def test_the_frame_of_the_image_does_not_thin_an_object():
    """A bar across the image keeps its skeleton up to the frame."""
    from harness.losses.lesion import soft_skeleton

    bar = torch.zeros(1, 1, 9, 9)
    bar[0, 0, 3:6] = 1
    skeleton = soft_skeleton(bar, 3)[0, 0]
    assert skeleton[4].tolist() == [1.0] * 9
    assert skeleton.sum() == 9


def test_tube_of_the_skeleton_lies_inside_the_label_and_a_pixel_has_one():
    labels = torch.zeros(2, 15, 15, dtype=torch.long)
    labels[0, 2:12, 5:10] = 1
    labels[1, 7, 7] = 1
    tube = Batch.of(torch.zeros(2, 2, 15, 15), labels).skeletons
    assert not tube[labels == 0].any()
    assert tube[0].any()
    assert tube[1].sum() == 1


def test_skeleton_recall_ignores_false_positives_and_absent_classes():
    labels = torch.zeros(1, 9, 9, dtype=torch.long)
    labels[0, 4, 2:7] = 1
    everything = torch.zeros(1, 3, 9, 9)
    everything[:, 1] = 50
    assert LOSSES["skeleton_recall"]()(everything, labels).item() == pytest.approx(0, abs=1e-5)
    nothing = LOSSES["skeleton_recall"]()(everything, torch.zeros_like(labels))
    assert nothing == 0


def test_numbers_of_a_larger_image_are_refused():
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, 0, 0] = 1
    with pytest.raises(ValueError, match="numbered up to 7, more than fit into 4 x 4 pixels: after cropping"):
        LOSSES["blob"]()(torch.zeros(1, 2, 4, 4), labels, components=7 * labels)
