"""Our losses beside MONAI's: equal where the formulas are, and why not where they are not."""

import pytest
import torch

from harness.losses import LOSSES, parse_loss

monai = pytest.importorskip("monai.losses", reason="MONAI is not installed (the 'test' extra)")

pytestmark = pytest.mark.filterwarnings("ignore")
SOFTMAX = {"softmax": True, "to_onehot_y": True}


@pytest.fixture(params=[2, 4], ids=["2 classes", "4 classes"])
def batch(request):
    """Random logits (3, C, 12, 10) and labels in which every class occurs in every image."""
    classes = request.param
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(3, classes, 12, 10, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, classes, (3, 12, 10), generator=generator)


@pytest.fixture
def example():
    """The worked example E2."""
    p = torch.tensor([[[0.9, 0.7], [0.4, 0.1]]], dtype=torch.float64)
    return torch.stack([1 - p, p], 1).log(), torch.tensor([[[1, 1], [0, 1]]])


def same(ours, theirs, batch, scale=1.0):
    """Assert equal values and equal gradients, with theirs multiplied by ``scale``."""
    logits, labels = batch
    a, b = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    value, peer = ours(a, labels), scale * theirs(b, labels.unsqueeze(1))
    rtol = 1e-6 if peer.dtype == torch.float64 else 1e-5  # MONAI casts some of its losses to float32
    torch.testing.assert_close(value, peer.double(), rtol=rtol, atol=1e-8)
    value.backward()
    peer.backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=10 * rtol, atol=1e-7)


@pytest.mark.parametrize("reduce", ["batch", "sample"])
@pytest.mark.parametrize("include_background", [True, False])
def test_dice(batch, reduce, include_background):
    ours = LOSSES["dice"](reduce=reduce, include_background=include_background)
    theirs = monai.DiceLoss(include_background=include_background, batch=reduce == "batch", **SOFTMAX)
    same(ours, theirs, batch)


@pytest.mark.parametrize("reduce", ["batch", "sample"])
def test_dice_of_an_absent_class_is_our_policy_smooth(batch, reduce):
    logits, labels = batch[0], batch[1].clamp(max=batch[0].shape[1] - 2)
    ours = LOSSES["dice"](reduce=reduce, absent="smooth")
    theirs = monai.DiceLoss(include_background=False, batch=reduce == "batch", **SOFTMAX)
    same(ours, theirs, (logits, labels))
    assert LOSSES["dice"](reduce=reduce)(logits, labels) < ours(logits, labels)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_of_monai_is_ours_divided_by_the_number_of_classes(batch, gamma):
    """MONAI averages over B C H W although only the true class has a value."""
    theirs = monai.FocalLoss(use_softmax=True, to_onehot_y=True, gamma=gamma)
    same(LOSSES["focal"](gamma=gamma), theirs, batch, scale=batch[0].shape[1])


def test_focal_factor_on_the_worked_example(example):
    theirs = monai.FocalLoss(use_softmax=True, to_onehot_y=True)(example[0], example[1].unsqueeze(1))
    assert LOSSES["focal"]()(*example).item() == pytest.approx(2 * theirs.item())


@pytest.mark.parametrize("reduce", ["batch", "sample"])
def test_gdl_with_negligible_eps(batch, reduce):
    """MONAI's batch weights are squared sizes of the batch, its sample weights of the image, as ours."""
    ours = LOSSES["gdl"](reduce=reduce, eps=1e-14)
    theirs = monai.GeneralizedDiceLoss(smooth_nr=1e-18, smooth_dr=1e-18, batch=reduce == "batch", **SOFTMAX)
    logits, labels = batch
    if reduce == "batch":
        same(ours, theirs, batch)
    else:
        peer = theirs(logits, labels.unsqueeze(1))
        torch.testing.assert_close(ours(logits, labels), peer, rtol=1e-6, atol=1e-9)


def test_gdl_of_an_absent_class_is_our_policy_smooth():
    logits = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    labels[:, :2] = 1
    theirs = monai.GeneralizedDiceLoss(smooth_nr=1e-18, smooth_dr=1e-18, batch=True, **SOFTMAX)
    same(LOSSES["gdl"](absent="smooth", eps=1e-14), theirs, (logits, labels))


def test_gdl_of_monai_is_biased_by_its_eps_on_large_structures():
    """Its weights are raw inverse squares, about 1e-11 here, and eps = 1e-5 is added to their sums."""
    logits, labels = torch.zeros(8, 2, 256, 256, dtype=torch.float64), torch.zeros(8, 256, 256).long()
    labels[:, :128] = 1
    theirs = monai.GeneralizedDiceLoss(batch=True, **SOFTMAX)(logits, labels.unsqueeze(1)).item()
    assert theirs == pytest.approx(0.302049, abs=1e-5)
    assert LOSSES["gdl"]()(logits, labels).item() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("include_background", [True, False])
def test_dice_ce(batch, include_background):
    parts = ["ce", {"name": "dice", "include_background": include_background}]
    theirs = monai.DiceCELoss(include_background=include_background, batch=True, **SOFTMAX)
    same(parse_loss(parts).build(), theirs, batch)


def test_dice_focal_of_monai_has_a_sigmoid_focal_part(batch):
    """So the sums differ; with its focal loss on softmax, 1:1 and divided by C, they agree."""
    logits, labels = batch
    classes = logits.shape[1]
    theirs = monai.DiceFocalLoss(include_background=False, batch=True, **SOFTMAX)(logits, labels.unsqueeze(1))
    ours = parse_loss("dice + focal").build()(logits, labels)
    assert abs(theirs - ours) > 1e-3
    dice = monai.DiceLoss(include_background=False, batch=True, **SOFTMAX)
    focal = monai.FocalLoss(use_softmax=True, to_onehot_y=True)
    same(parse_loss("dice + focal").build(), lambda z, y: dice(z, y) + classes * focal(z, y), batch)


@pytest.mark.parametrize("include_background", [True, False])
def test_boundary_of_monai_has_the_published_zero_level(batch, include_background):
    """It computes the maps at every step and knows no spacing; our own default is the half offset."""
    published = LOSSES["boundary"](offset="kervadec", include_background=include_background)
    theirs = monai.BoundaryLoss(include_background=include_background, **SOFTMAX)
    same(published, theirs, batch)
    assert published(*batch) != LOSSES["boundary"](include_background=include_background)(*batch)
    assert published(*batch) != published(*batch, spacing=torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize("reduce", ["batch", "sample"])
@pytest.mark.parametrize(
    ("name", "peer", "settings"),
    [
        ("squared_dice", "DiceLoss", {"squared_pred": True}),
        ("tversky", "TverskyLoss", {"alpha": 0.3, "beta": 0.7}),
        ("mcc", "MCCLoss", {}),
    ],
)
def test_equal_formulas(batch, reduce, name, peer, settings):
    theirs = getattr(monai, peer)(include_background=False, batch=reduce == "batch", **settings, **SOFTMAX)
    same(LOSSES[name](reduce=reduce), theirs, batch)


def test_eps_of_the_jaccard_form_of_monai_counts_half(batch):
    """It stands beside twice the denominator."""
    theirs = monai.DiceLoss(jaccard=True, include_background=False, batch=True, **SOFTMAX)
    same(LOSSES["iou"](eps=5e-6), theirs, batch)


def test_hausdorff_of_two_classes(batch):
    """MONAI cuts at p > 0.5: the most probable class only if there are two."""
    logits, labels = batch
    theirs = monai.HausdorffDTLoss(include_background=False, **SOFTMAX)
    if logits.shape[1] == 2:
        same(LOSSES["hausdorff"](), theirs, batch)
        unspaced = theirs(logits, labels.unsqueeze(1))
        assert LOSSES["hausdorff"]()(logits, labels, spacing=torch.tensor([2.0, 1.0])) != unspaced
    else:
        assert abs(LOSSES["hausdorff"]()(*batch) - theirs(logits, labels.unsqueeze(1))) > 1e-3


def test_cldice_of_one_image(batch):
    """MONAI sums over the classes of each image and adds 1e-4 to the harmonic mean; 3 iterations."""
    logits, labels = batch[0][:1, :2], batch[1][:1].clamp(max=1)
    theirs = monai.SoftclDiceLoss(iter_=2, include_background=False, **SOFTMAX)
    ours = LOSSES["cldice"](iterations=2)(logits, labels)
    assert ours.item() == pytest.approx(theirs(logits, labels.unsqueeze(1)).item(), abs=1e-4)


def test_unified_focal_of_monai_halves_the_cross_entropy(example):
    """No activation, two classes, and the mean over the channels where the paper has their sum."""
    logits, labels = example
    theirs = monai.unified_focal_loss.AsymmetricUnifiedFocalLoss(
        to_onehot_y=True, num_classes=2, gamma=0.5, delta=0.6
    )
    peer = theirs(logits.softmax(1), labels.unsqueeze(1)).item()
    assert peer == pytest.approx(0.400633, abs=1e-5)
    cross_entropy, tversky = (
        LOSSES["asymmetric_unified_focal"](w_ce=w)(logits, labels).item() for w in (1.0, 0.0)
    )
    assert peer == pytest.approx(0.5 * (cross_entropy / 2 + tversky), abs=1e-5)


def test_half_precision_dice_of_monai_saturates_where_ours_does_not():
    """Its sums run in the precision of the logits: at 384 x 384 they pass 65504 and the loss is 1."""
    labels = torch.zeros(1, 384, 384, dtype=torch.long)
    labels[:, :300] = 1
    logits = torch.zeros(1, 2, 384, 384, dtype=torch.float16)
    theirs = monai.DiceLoss(include_background=False, batch=True, **SOFTMAX)(logits, labels.unsqueeze(1))
    exact = LOSSES["dice"]()(logits.double(), labels).item()
    assert not abs(theirs.item() - exact) < 0.1
    assert LOSSES["dice"]()(logits, labels).item() == pytest.approx(exact, abs=1e-5)


def test_our_losses_in_the_loop_of_somebody_who_uses_monai():
    """``loss(net(x), y)`` is all it takes; needs are computed from the labels of the batch."""
    net = torch.nn.Conv2d(1, 2, 3, padding=1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    images = torch.zeros(2, 1, 16, 16)
    images[:, :, 4:9, 5:12] = 1
    labels = images[:, 0].long()
    loss = parse_loss("gdl + boundary", {"schedule": "constant"}).build()
    values = []
    for epoch in range(30):
        loss.set_epoch(epoch, 30)
        optimizer.zero_grad()
        value = loss(net(images), labels)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.5 * values[0]
