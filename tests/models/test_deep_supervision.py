import pytest
import torch
from torch import Tensor, nn

from harness.models import build_model, deep_supervision_weights
from harness.models.deep_supervision import SupervisionHeads, supervised_levels
from tests.models.networks import parameter_count, small

IMAGE = (2, 2, 19, 30)


def supervised(**options: object) -> nn.Module:
    return small("unet2d_supervised", depth=4, **options)


def test_weights_halve_and_sum_to_one() -> None:
    assert deep_supervision_weights(1) == (1.0,)
    assert deep_supervision_weights(3) == pytest.approx((4 / 7, 2 / 7, 1 / 7))


@pytest.mark.parametrize(("depth", "levels"), [(2, (1,)), (3, (1,)), (4, (1, 2)), (6, (1, 2, 3, 4))])
def test_all_but_the_two_lowest_resolutions_have_a_head(depth: int, levels: tuple[int, ...]) -> None:
    assert supervised_levels(depth) == levels
    model = small("unet2d_supervised", depth=depth, base_channels=2, max_channels=4)
    assert len(model(torch.randn(2, 2, 64, 128))) == 1 + len(levels)


def test_training_gives_a_tuple_of_full_size_and_evaluation_the_finest_alone() -> None:
    model = supervised()
    image = torch.randn(IMAGE)
    logits = model(image)
    assert isinstance(logits, tuple)
    assert [each.shape for each in logits] == [(2, 3, 19, 30)] * 3
    finest = model.eval()(image)
    assert isinstance(finest, Tensor)
    assert torch.equal(finest, logits[0])


def test_the_network_without_it_gives_a_tensor_in_both_modes() -> None:
    model = small("unet2d")
    assert isinstance(model(torch.randn(IMAGE)), Tensor)
    assert isinstance(model.eval()(torch.randn(IMAGE)), Tensor)


def test_the_other_weights_are_those_of_the_network_without_it() -> None:
    with_heads, without = supervised().state_dict(), supervised(deep_supervision=False).state_dict()
    assert all(torch.equal(with_heads[key], without[key]) for key in without)
    further = set(with_heads) - set(without)
    assert {key.split(".")[0] for key in further} == {"further_heads"}


def test_a_further_head_costs_its_1x1_convolution() -> None:
    more = parameter_count(supervised()) - parameter_count(supervised(deep_supervision=False))
    assert more == (8 * 3 + 3) + (16 * 3 + 3)


@pytest.mark.parametrize("level", [1, 2])
def test_coarse_logits_are_enlarged_to_their_own_place(level: int) -> None:
    """A bright square far from the borders stays where it is, without a shift by half a pixel."""
    heads = SupervisionHeads([1] * 3, [level], 2)
    nn.init.ones_(heads.heads[0].weight)
    side = 32 // 2**level
    features = torch.zeros(1, 1, side, side)
    features[..., side // 4 : side // 2, side // 4 : side // 2] = 1
    (logits,) = heads([features] * 3)
    assert logits.shape == (1, 2, 32, 32)
    inside = logits[0, 0] > 0.5
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[8:16, 8:16] = True
    # Corners of a bilinear square are below one half.
    assert (inside != expected).sum() <= 4 * 4
    assert torch.equal(inside[:, 12], expected[:, 12])
    torch.testing.assert_close(logits, logits.transpose(2, 3))


def test_the_first_weights_of_the_heads_keep_the_variance() -> None:
    model = build_model("unet2d", 1, 8, base_channels=64, depth=4, deep_supervision=True)
    for head, channels in zip(model.get_submodule("further_heads.heads").children(), (128, 256), strict=True):
        assert isinstance(head, nn.Conv2d)
        assert head.weight.std().item() == pytest.approx(channels**-0.5, rel=0.1)
        assert head.bias is not None
        assert torch.count_nonzero(head.bias) == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"depth": 1, "deep_supervision": True}, r"'deep_supervision' needs a depth of at least 2 \(got 1\)"),
        ({"deep_supervision": "yes"}, r"'deep_supervision' must be true or false \(got 'yes'\)"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_model("unet2d", 1, 2, **options)
