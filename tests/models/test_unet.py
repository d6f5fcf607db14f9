from itertools import pairwise

import pytest
import torch
from torch import nn

from harness.errors import InputError
from harness.models import MODELS, build_model
from harness.models.blocks import InstanceNorm2d


def small(**options: object) -> nn.Module:
    torch.manual_seed(7)
    return build_model("unet2d", 2, 3, **{"base_channels": 4, "depth": 2, **options})


def expected_parameters(
    in_channels: int,
    n_classes: int,
    base: int,
    depth: int,
    *,
    normalised: bool,
    cap: int | None = None,
    up_taps: int = 4,
) -> int:
    """Closed form: 9 weights a pair of channels, 2 affine numbers (or 1 bias) a channel."""
    channels = [min(base * 2**level, cap or 16 * base) for level in range(depth + 1)]
    per_channel = 2 if normalised else 1

    def double(i: int, o: int) -> int:
        return 9 * i * o + 9 * o * o + 2 * per_channel * o

    total = double(in_channels, channels[0]) + channels[0] * n_classes + n_classes
    for upper, lower in pairwise(channels):
        total += double(upper, lower)  # down
        total += up_taps * lower * upper + upper  # 2x2 transposed, or 3x3 after nearest
        total += double(2 * upper, upper)  # up, after the skip is joined
    return total


def test_the_registry_lists_the_network() -> None:
    assert "unet2d" in MODELS


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("activation", ["leaky_relu", "relu"])
def test_logits_have_the_size_of_the_image(norm: str, activation: str) -> None:
    logits = small(norm=norm, activation=activation)(torch.randn(2, 2, 16, 24))
    assert logits.shape == (2, 3, 16, 24)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("size", [(17, 23), (16, 25), (31, 8), (9, 9), (5, 40)])
def test_sides_that_are_no_multiple_are_padded_and_cropped(size: tuple[int, int]) -> None:
    assert small()(torch.randn(1, 2, *size)).shape == (1, 3, *size)


def test_padding_repeats_the_edges_and_crops_back_to_the_same_place() -> None:
    model = small().eval()
    image = torch.randn(1, 2, 14, 19)
    padded = nn.functional.pad(image, (0, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(model(image), model(padded)[..., 1:15, 0:19])


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_parameter_count_follows_the_closed_form(depth: int, norm: str) -> None:
    model = small(depth=depth, norm=norm)
    count = sum(p.numel() for p in model.parameters())
    assert count == expected_parameters(2, 3, 4, depth, normalised=norm != "none")


def test_default_network_has_32_channels_and_four_levels() -> None:
    count = sum(p.numel() for p in build_model("unet2d", 1, 2).parameters())
    assert count == expected_parameters(1, 2, 32, 4, normalised=True)


def test_channels_are_capped() -> None:
    model = small(depth=3, max_channels=8)
    count = sum(p.numel() for p in model.parameters())
    assert count == expected_parameters(2, 3, 4, 3, normalised=True, cap=8)


@pytest.mark.parametrize("down", ["max_pool", "strided"])
@pytest.mark.parametrize(("up", "taps"), [("transposed", 4), ("nearest", 9)])
def test_ways_down_and_up_change_the_count_only_where_the_kernel_differs(
    down: str, up: str, taps: int
) -> None:
    model = small(depth=3, down=down, up=up)
    count = sum(p.numel() for p in model.parameters())
    assert count == expected_parameters(2, 3, 4, 3, normalised=True, up_taps=taps)


def test_strided_replaces_pooling_and_nearest_the_transposed_convolutions() -> None:
    modules = list(small(depth=3, down="strided", up="nearest").modules())
    assert sum(isinstance(m, nn.Conv2d) and m.stride == (2, 2) for m in modules) == 3
    assert sum(isinstance(m, nn.Upsample) and m.mode == "nearest" for m in modules) == 3
    assert not any(isinstance(m, nn.MaxPool2d | nn.ConvTranspose2d) for m in modules)


@pytest.mark.parametrize("down", ["max_pool", "strided"])
@pytest.mark.parametrize("up", ["transposed", "nearest"])
def test_every_way_down_and_up_takes_any_size(down: str, up: str) -> None:
    logits = small(down=down, up=up, norm="none")(torch.randn(1, 2, 13, 18))
    assert logits.shape == (1, 3, 13, 18)
    assert torch.isfinite(logits).all()


def test_a_stored_network_still_fits_and_a_seed_still_draws_it() -> None:
    """Names, order of the draws and draws of seed 7, written down from an earlier version."""
    state = small().state_dict()
    first = {
        "encoder.0.0.weight": -0.209114,
        "encoder.1.3.weight": 0.250685,
        "encoder.2.3.weight": -0.052445,
        "up.0.weight": 0.719147,
        "up.1.weight": -0.375166,
        "decoder.0.0.weight": 0.048163,
        "decoder.1.3.weight": 0.085425,
        "head.weight": -0.150289,
    }
    for name, value in first.items():
        assert state[name].flatten()[0].item() == pytest.approx(value, abs=2e-6), name


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_gradient_reaches_every_parameter(norm: str) -> None:
    model = small(norm=norm)
    nn.functional.cross_entropy(model(torch.randn(2, 2, 16, 16)), torch.randint(0, 3, (2, 16, 16))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


def test_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, second = small().state_dict(), small().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    torch.manual_seed(8)
    other = build_model("unet2d", 2, 3, base_channels=4, depth=2).state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_channels_last_gives_the_same_logits_and_gradients(norm: str) -> None:
    image = torch.randn(2, 2, 24, 24)
    plain, last = small(norm=norm), small(norm=norm).to(memory_format=torch.channels_last)
    expected, got = plain(image), last(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    expected.square().mean().backward()
    got.square().mean().backward()
    for mine, theirs in zip(plain.parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("size", [(2, 1), (7, 9), (32, 32)])
def test_instance_norm_keeps_channels_last_and_torchs_values(size: tuple[int, int]) -> None:
    theirs, mine = nn.InstanceNorm2d(5, affine=True), InstanceNorm2d(5, affine=True)
    for norm in (theirs, mine):
        nn.init.constant_(norm.weight, 1.3)
        nn.init.constant_(norm.bias, -0.2)
    features = (torch.randn(3, 5, *size) * 4 + 2).requires_grad_()
    last = features.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    expected, got = theirs(features), mine(last)
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (got * weights).sum().backward()
    torch.testing.assert_close(last.grad, features.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mine.weight.grad, theirs.weight.grad, atol=1e-4, rtol=1e-4)
    assert torch.equal(mine(features), theirs(features))


def test_initial_activations_keep_their_scale_without_normalisation() -> None:
    torch.manual_seed(0)
    logits = build_model("unet2d", 4, 2, base_channels=16, norm="none")(torch.randn(2, 4, 64, 64))
    assert 0.1 < logits.std().item() < 10


def test_biases_start_at_zero_and_affine_scales_at_one() -> None:
    for name, parameter in small().named_parameters():
        if name.endswith("bias"):
            assert torch.count_nonzero(parameter) == 0, name
        elif parameter.ndim == 1:
            assert torch.all(parameter == 1), name


def test_convolution_weights_have_he_variance() -> None:
    model = small(base_channels=32, depth=1)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    weight = convolutions[1].weight
    assert weight.std().item() == pytest.approx((2 / (1 + 0.01**2) / (9 * 32)) ** 0.5, rel=0.05)
    up = next(m for m in model.modules() if isinstance(m, nn.ConvTranspose2d))
    assert up.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_one_value_per_channel_at_the_bottom_is_refused(norm: str) -> None:
    with pytest.raises(ValueError, match=rf"4x3 pixels leaves one value per channel.*{norm} norm.*'depth'"):
        small(norm=norm)(torch.randn(1, 2, 4, 3))


def test_tiny_images_work_where_nothing_is_divided_by_zero() -> None:
    image = torch.randn(1, 2, 4, 4)
    assert small(norm="none")(image).shape == (1, 3, 4, 4)
    assert small(norm="batch").eval()(image).shape == (1, 3, 4, 4)
    assert small(norm="batch")(image.repeat(2, 1, 1, 1)).shape == (2, 3, 4, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"base_chanels": 8}, "no option 'base_chanels'; did you mean 'base_channels'"),
        ({"in_chans": 3, "zzz": 1}, "no option 'in_chans'"),
        ({"base_channels": 0}, r"'base_channels' must be at least 1 \(got 0\)"),
        ({"depth": 0}, r"'depth' must be at least 1 \(got 0\)"),
        ({"depth": 2.5}, r"'depth' must be a whole number \(got 2.5\)"),
        ({"base_channels": "32"}, r"'base_channels' must be a whole number \(got '32'\)"),
        ({"depth": True}, r"'depth' must be a whole number \(got True\)"),
        ({"down": "average"}, r"'down' must be one of max_pool, strided \(got 'average'\)"),
        ({"up": ["nearest"]}, r"'up' must be one of transposed, nearest \(got \['nearest'\]\)"),
        ({"norm": "layer"}, r"'norm' must be one of instance, batch, none \(got 'layer'\)"),
        ({"activation": "gelu"}, r"'activation' must be one of leaky_relu, relu \(got 'gelu'\)"),
        ({"base_channels": 16, "max_channels": 8}, r"'max_channels' must be at least base_channels=16"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_model("unet2d", 1, 2, **options)


@pytest.mark.parametrize(("in_channels", "n_classes"), [(0, 2), (1, 1)])
def test_wrong_numbers_of_channels_are_refused(in_channels: int, n_classes: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        build_model("unet2d", in_channels, n_classes)


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'unet2d'"):
        build_model("unet", 1, 2)


def test_a_foreign_class_is_found_by_its_path() -> None:
    assert isinstance(build_model("torch.nn:Linear", 3, 2, bias=False), nn.Linear)


@pytest.mark.parametrize(
    "reference", ["no_such_package:Net", "torch.nn:NoSuchNet", ":Net", "torch:__version__"]
)
def test_a_foreign_class_that_is_not_there_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=reference):
        build_model(reference, 1, 2)
