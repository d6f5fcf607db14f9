"""Inputs that have made losses of other people return NaN, overflow or lose their gradient."""

import inspect
from typing import get_args, get_type_hints

import pytest
import torch

from harness.losses import ALIASES, LOSSES, parse_loss
from harness.losses.base import constructor_parameters
from tests.losses.one_of_each import quick_for_one_of_each

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
SIZE = 12


def labels_of(case, classes):
    """Labels (B, 12, 12)."""
    labels = torch.zeros(2, SIZE, SIZE, dtype=torch.long)
    if case == "all classes":
        labels = torch.arange(2 * SIZE * SIZE).view(2, SIZE, SIZE) // 5 % classes
    elif case == "absent classes":
        labels[:, 2:6, 2:7] = 1
    elif case == "absent in one image":
        labels[0, 2:6, 2:7] = classes - 1
    elif case == "full":
        labels[:] = classes - 1
    elif case == "one pixel":
        labels[1, 4, 5] = 1
    elif case == "one pixel in the corner":
        labels[1, 0, 0] = classes - 1
    elif case == "batch of one":
        labels = labels_of("absent in one image", classes)[:1]
    return labels


CASES = (
    "all classes",
    "absent classes",
    "absent in one image",
    "empty",
    "full",
    "one pixel",
    "one pixel in the corner",
    "batch of one",
)


def logits_of(kind, labels, classes):
    """Logits (B, C, 12, 12), float32."""
    shape = (len(labels), classes, SIZE, SIZE)
    if kind == "random":
        return torch.randn(shape, generator=torch.Generator().manual_seed(3))
    if kind == "zero":
        return torch.zeros(shape)
    answer = labels if kind == "right" else (labels + 1) % classes
    return 1e4 * (2.0 * torch.nn.functional.one_hot(answer, classes).movedim(-1, 1) - 1)


def variants(name):
    """The loss with and without background, and under every policy for absent classes."""
    parameters = constructor_parameters(LOSSES[name])
    options = [{}]
    if "include_background" in parameters:
        options += [{"include_background": not LOSSES[name].defaults()["include_background"]}]
    if "absent" in parameters:
        owner = next(base for base in inspect.getmro(LOSSES[name]) if "absent" in _own_hints(base))
        options += [{"absent": policy} for policy in get_args(_own_hints(owner)["absent"])]
    if "reduce" in parameters:
        options += [{"reduce": "sample"}]
    return options


def _own_hints(base):
    own = vars(base).get("__init__")
    return {} if own is None else get_type_hints(own)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.filterwarnings("ignore:cldice")
def test_value_and_gradient_are_finite(name, device):
    assert_finite_in_all_cases(name, 2, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", quick_for_one_of_each(LOSSES))
@pytest.mark.filterwarnings("ignore:cldice")
def test_value_and_gradient_are_finite_with_many_classes(name, device):
    assert_finite_in_all_cases(name, 20, device)


def assert_finite_in_all_cases(name, classes, device):
    for case in CASES:
        labels = labels_of(case, classes).to(device)
        ignored = labels.clone()
        ignored[:, 1::3] = 255
        for kind in ("random", "zero", "right", "wrong"):
            logits = logits_of(kind, labels.cpu(), classes).to(device)
            for options in variants(name):
                for answer, ignore_label in ((labels, None), (ignored, 255)):
                    loss = LOSSES[name](ignore_label=ignore_label, **options).to(device)
                    z = logits.clone().requires_grad_()
                    value = loss(z, answer)
                    value.backward()
                    where = (name, case, kind, options, ignore_label)
                    assert torch.isfinite(value), where
                    assert torch.isfinite(z.grad).all(), where


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(LOSSES))
def test_any_floating_type_keeps_its_gradient(name, dtype, device):
    for classes in (2, 20):
        labels = labels_of("all classes", classes).to(device)
        z = logits_of("random", labels, classes).to(device, dtype).requires_grad_()
        loss = LOSSES[name]().to(device)
        loss(z, labels).backward()
        assert z.grad.dtype == dtype
        assert torch.isfinite(z.grad).all()
        assert z.grad.any()


@pytest.mark.parametrize("name", [*LOSSES, *ALIASES])
def test_a_confidently_wrong_prediction_has_a_way_back(name):
    labels = labels_of("absent in one image", 3)
    z = (logits_of("wrong", labels, 3) / 1e3).double().requires_grad_()
    parse_loss(name).build()(z, labels).backward()
    assert z.grad.abs().max() > 1e-12


@pytest.mark.parametrize("name", [n for n in LOSSES if LOSSES[n].family == "distribution"])
def test_saturated_wrong_logits_still_teach_the_cross_entropies(name):
    labels = labels_of("all classes", 3)
    z = logits_of("wrong", labels, 3).requires_grad_()
    LOSSES[name]()(z, labels).backward()
    assert z.grad.any()


@pytest.mark.parametrize("name", [n for n in LOSSES if "absent" in LOSSES[n].defaults()])
def test_policies_for_an_absent_class(name):
    """Class 2 is absent: ignored it has no gradient, penalised its probability goes down."""
    labels = labels_of("absent classes", 3)
    z = logits_of("random", labels, 3).double().requires_grad_()
    policies = get_args(_hint_of_absent(name))
    assert policies[0] == "ignore"
    values = {}
    for policy in policies:
        values[policy] = LOSSES[name](absent=policy)(z, labels, class_counts=torch.tensor([4, 2, 1]))
    if "penalise" in policies:
        (gradient,) = torch.autograd.grad(values["penalise"], z)
        p = z.softmax(1)
        absent_only = torch.autograd.grad(p[:, 2].mean(), z)[0]
        assert (gradient * absent_only).sum() > 0
    assert len({round(value.item(), 9) for value in values.values()}) == len(policies)


def _hint_of_absent(name):
    owner = next(base for base in inspect.getmro(LOSSES[name]) if "absent" in _own_hints(base))
    return _own_hints(owner)["absent"]


def test_large_images_in_half_precision():
    labels = torch.zeros(1, 384, 384, dtype=torch.long)
    labels[:, 50:350, 50:350] = 1
    z = torch.randn(1, 2, 384, 384, generator=torch.Generator().manual_seed(0)).half()
    for name in LOSSES:
        half, single = (LOSSES[name]()(x, labels) for x in (z, z.float()))
        assert torch.isfinite(half), name
        assert half == single, name
