import pytest
import torch
from torch import nn

from harness.models import build_model
from tests.models.networks import parameter_count, small


def unit(i: int, o: int) -> int:
    """3x3 convolution without bias, batch normalisation, a PReLU of one slope."""
    return 9 * i * o + 2 * o + 1


def expected_parameters(in_channels: int, n_classes: int, base: int) -> int:
    """Closed form, level by level, read off the description of the reference code."""
    b, c = base, base * 8
    encoder = unit(in_channels, b) + unit(b, b)
    encoder += unit(b, 2 * b) + unit(2 * b, 2 * b) + unit(2 * b, 4 * b) + unit(4 * b, 4 * b)
    residual = unit(c, c) + (9 * c * c + c) + 2 * c
    bottom = unit(4 * b, c) + residual + unit(c, c)
    ups = 2 * (unit(c, c) + unit(4 * b, 4 * b) + unit(2 * b, 2 * b))
    decoder = unit(12 * b, 4 * b) + unit(4 * b, 4 * b) + unit(6 * b, 2 * b) + unit(2 * b, 2 * b)
    decoder += unit(3 * b, b) + unit(b, b)
    return encoder + bottom + ups + decoder + b * n_classes + n_classes


def test_the_network_of_the_paper_has_18_7_million_parameters() -> None:
    count = parameter_count(build_model("kervadec", 1, 2))
    assert count == expected_parameters(1, 2, 64) == 18_702_551
    assert round(count / 1e6, 1) == 18.7


@pytest.mark.parametrize(("in_channels", "n_classes", "base"), [(2, 3, 4), (5, 2, 1), (1, 4, 10)])
def test_parameter_count_follows_the_closed_form(in_channels: int, n_classes: int, base: int) -> None:
    model = build_model("kervadec", in_channels, n_classes, base_channels=base)
    assert parameter_count(model) == expected_parameters(in_channels, n_classes, base)


def test_three_strided_convolutions_go_down_and_three_upsamplings_up() -> None:
    modules = list(small("kervadec").modules())
    assert sum(isinstance(m, nn.Conv2d) and m.stride == (2, 2) for m in modules) == 3
    assert sum(isinstance(m, nn.Upsample) and m.mode == "nearest" for m in modules) == 3
    assert not any(isinstance(m, nn.MaxPool2d | nn.ConvTranspose2d) for m in modules)


def test_padding_repeats_the_edges_and_crops_back_to_the_same_place() -> None:
    model = small("kervadec").eval()
    image = torch.randn(1, 2, 14, 19)
    padded = nn.functional.pad(image, (2, 3, 1, 1), mode="replicate")
    torch.testing.assert_close(model(image), model(padded)[..., 1:15, 2:21])


def test_weights_start_as_in_the_reference_code() -> None:
    model = build_model("kervadec", 1, 2, base_channels=32)
    bottom = model.get_submodule("bottom.2.0")
    assert isinstance(bottom, nn.Conv2d)
    assert bottom.weight.std().item() == pytest.approx((2 / (2 * 9 * 256)) ** 0.5, rel=0.05)
    scales = torch.cat([m.weight.detach() for m in model.modules() if isinstance(m, nn.BatchNorm2d)])
    assert scales.mean().item() == pytest.approx(1.0, abs=0.005)
    assert scales.std().item() == pytest.approx(0.02, rel=0.1)


def test_one_value_per_channel_at_the_bottom_is_refused_in_training_only() -> None:
    model = small("kervadec")
    with pytest.raises(ValueError, match=r"8x5 pixels leaves one value per channel.*batch norm.*batches"):
        model(torch.randn(1, 2, 8, 5))
    assert model(torch.randn(2, 2, 8, 5)).shape == (2, 3, 8, 5)
    assert model.eval()(torch.randn(1, 2, 8, 5)).shape == (1, 3, 8, 5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"base_channels": 0}, r"kervadec option 'base_channels' must be at least 1 \(got 0\)"),
        ({"base_channels": "64"}, r"kervadec option 'base_channels' must be a whole number \(got '64'\)"),
        ({"norm": "instance"}, r"model 'kervadec' has no option 'norm'; it has: base_channels"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_model("kervadec", 1, 2, **options)
