"""What every network of the registry keeps to."""

import pytest
import torch
from torch import Tensor, nn

from harness.models import MODELS, build_model
from tests.models.networks import NETWORKS, outputs, small

# A bias that batch normalisation removes again: it is there for the count of the reference.
WITHOUT_GRADIENT = {"bottom.1.branch.3.bias"}

every_network = pytest.mark.parametrize("name", NETWORKS)


def loss_of(model: nn.Module, image: Tensor) -> Tensor:
    """A number with a gradient in each head, another at each pixel."""
    weights = torch.randn(3, *image.shape[-2:], generator=torch.Generator().manual_seed(0))
    return torch.stack([(logits * weights).mean() for logits in outputs(model, image)]).sum()


def test_every_registered_network_is_tested_here() -> None:
    assert {model for model, _ in NETWORKS.values()} == set(MODELS)


@every_network
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (9, 16), (31, 8)])
def test_logits_have_the_size_of_any_image(name: str, size: tuple[int, int]) -> None:
    model = small(name)
    for logits in outputs(model, torch.randn(2, 2, *size)):
        assert logits.shape == (2, 3, *size)
        assert logits.dtype == torch.float32
        assert torch.isfinite(logits).all()
    assert model.eval()(torch.randn(2, 2, *size)).shape == (2, 3, *size)


@every_network
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = small(name)
    loss_of(model, torch.randn(2, 2, 16, 16)).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        if parameter_name not in WITHOUT_GRADIENT:
            assert parameter.grad.abs().max() > 1e-7, parameter_name


@every_network
def test_channels_last_is_kept_from_the_first_convolution_to_the_logits(name: str) -> None:
    model = small(name).to(memory_format=torch.channels_last)
    lost = []

    def look(module: nn.Module, _: object, features: Tensor) -> None:
        if not features.is_contiguous(memory_format=torch.channels_last):
            lost.append(type(module).__name__)

    for module in model.modules():
        if not list(module.children()) and not isinstance(module, nn.ModuleList):
            module.register_forward_hook(look)
    image = torch.randn(2, 2, 48, 32).contiguous(memory_format=torch.channels_last)
    logits = outputs(model, image)
    assert lost == []
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in logits)


@every_network
def test_both_layouts_give_the_same_logits_and_gradients(name: str) -> None:
    image = torch.randn(2, 2, 24, 24)
    plain, last = small(name), small(name).to(memory_format=torch.channels_last)
    for mine, theirs in zip(
        outputs(last, image.contiguous(memory_format=torch.channels_last)), outputs(plain, image), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    loss_of(plain, image).backward()
    loss_of(last, image.contiguous(memory_format=torch.channels_last)).backward()
    for mine, theirs in zip(last.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-3)


@every_network
def test_bf16_autocast_trains_float32_weights_to_about_the_same_logits(name: str) -> None:
    model = small(name).to(memory_format=torch.channels_last)
    image = torch.randn(2, 2, 32, 32).contiguous(memory_format=torch.channels_last)
    expected = outputs(model, image)
    with torch.autocast("cpu", torch.bfloat16):
        got = outputs(model, image)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine - theirs).square().mean().sqrt() < 0.05 * theirs.std()
    torch.stack([logits.float().square().mean() for logits in got]).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert torch.isfinite(parameter.grad).all()


@every_network
def test_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    first, second = small(name).state_dict(), small(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    torch.manual_seed(8)
    model, options = NETWORKS[name]
    other = build_model(model, 2, 3, **options).state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


@every_network
def test_a_few_steps_of_adam_fit_two_images(name: str) -> None:
    model = small(name)
    image = torch.randn(2, 2, 16, 16)
    labels = (image[:, 0] > 0).long() + (image[:, 1] > 1).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    values = []
    for _ in range(25):
        heads = [nn.functional.cross_entropy(logits, labels) for logits in outputs(model, image)]
        optimizer.zero_grad()
        torch.stack(heads).sum().backward()
        optimizer.step()
        values.append(heads[0].item())
    assert values[-1] < 0.8 * values[0]


@pytest.mark.parametrize("name", ["unet2d", "unet2d_supervised", "kervadec"])
def test_a_compiler_gets_each_network_as_one_graph(name: str) -> None:
    torch._dynamo.reset()
    image = torch.randn(2, 2, 17, 16).contiguous(memory_format=torch.channels_last)
    model = small(name).to(memory_format=torch.channels_last)
    found = torch._dynamo.explain(model)(image)
    assert found.graph_count == 1
    assert found.graph_break_count == 0, found.break_reasons


# Quick: the one with several heads. That each is one graph is asked of all, above.
@pytest.mark.parametrize(
    "name",
    [
        "unet2d_supervised",
        pytest.param("unet2d", marks=pytest.mark.full),
        pytest.param("kervadec", marks=pytest.mark.full),
    ],
)
def test_compiled_networks_give_the_same_logits_and_gradients(name: str) -> None:
    torch._dynamo.reset()
    image = torch.randn(2, 2, 17, 16).contiguous(memory_format=torch.channels_last)
    plain, other = (small(name).to(memory_format=torch.channels_last) for _ in range(2))
    compiled = torch.compile(other, backend="aot_eager", dynamic=False, fullgraph=True)
    for mine, theirs in zip(outputs(compiled, image), outputs(plain, image), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    loss_of(plain, image).backward()
    loss_of(compiled, image).backward()
    for mine, theirs in zip(other.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-4)
