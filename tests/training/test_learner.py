"""Steps of the optimiser, against the same written by hand."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from harness.data.batches import Batch
from harness.losses import parse_loss
from harness.training import learner
from harness.training.learner import Diverged, Learner
from harness.training.protocol import Protocol

CPU = torch.device("cpu")


class Heads(nn.Module):
    """A linear pixel classifier that can give its logits more than once."""

    def __init__(self, heads: int = 1) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.heads = nn.ModuleList(nn.Conv2d(2, 3, 1) for _ in range(heads))

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        logits = [head(image) for head in self.heads]
        return logits if len(logits) > 1 else logits[0]


def batches(*sizes: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(5)
    return [
        Batch(
            torch.randn((size, 2, 6, 7), generator=generator),
            torch.randint(0, 3, (size, 6, 7), generator=generator),
            {},
        )
        for size in sizes
    ]


def trained(model: nn.Module, data: Sequence[Batch], loss: str = "ce", **protocol: object) -> Learner:
    found = Learner(
        model,
        parse_loss(loss).build(),
        Protocol.model_validate({"optimizer": {"name": "sgd", "lr": 0.1}, **protocol}),
        CPU,
    )
    found.train_epoch(0, data)
    return found


def weights(model: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_accumulated_batches_equal_one_large_batch_for_a_mean_over_pixels() -> None:
    small, large = Heads(), Heads()
    parts = batches(4, 4, 2)
    whole = Batch(torch.cat([b.images for b in parts]), torch.cat([b.labels for b in parts]), {})
    trained(small, parts, accumulate=3)
    trained(large, [whole])
    torch.testing.assert_close(weights(small), weights(large), rtol=1e-5, atol=1e-7)


def test_the_last_group_may_be_smaller() -> None:
    steps, alone = Heads(), Heads()
    parts = batches(4, 4, 2)
    trained(steps, parts, accumulate=2)
    by_hand = trained(alone, parts[:2], accumulate=2)
    by_hand.train_epoch(0, parts[2:])
    assert torch.equal(weights(steps), weights(alone))


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps() -> None:
    model = Heads()
    parts = batches(4, 4)
    still = Protocol.model_validate({"optimizer": {"name": "sgd", "lr": 1e-30}})
    found = Learner(model, parse_loss("ce").build(), still, CPU).train_epoch(0, parts)
    expected = [nn.functional.cross_entropy(model(b.images), b.labels).item() for b in parts]
    assert found == pytest.approx(sum(expected) / 2, rel=1e-6)


def test_long_gradients_are_cut_to_the_length_asked_for() -> None:
    """Plain SGD moves the weights by the learning rate times the clipped gradient."""
    model = Heads()
    before = weights(model)
    plain = {"name": "sgd", "lr": 0.5, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    trained(model, batches(4), optimizer=plain, clip_gradient=1e-3)
    assert torch.linalg.vector_norm(weights(model) - before).item() == pytest.approx(0.5e-3, rel=1e-3)


def test_several_heads_share_the_loss_with_halving_weights() -> None:
    model = Heads(3)
    [batch] = batches(4)
    trained(
        model,
        [batch],
        optimizer={"name": "sgd", "lr": 1.0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    )
    expected = Heads(3)
    losses = [nn.functional.cross_entropy(logits, batch.labels) for logits in expected(batch.images)]
    total = (4 * losses[0] + 2 * losses[1] + losses[2]) / 7
    total.backward()
    moved = torch.cat([(p.detach() - p.grad).flatten() for p in expected.parameters()])
    torch.testing.assert_close(weights(model), moved)


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (
            {"name": "adam", "lr": 0.1, "weight_decay": 0.1},
            lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.1),
        ),
        ({"name": "adamw", "lr": 0.1, "betas": [0.8, 0.9]}, lambda p: torch.optim.AdamW(p, 0.1, (0.8, 0.9))),
        (
            {"name": "sgd", "lr": 0.1},
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.99, nesterov=True, weight_decay=3e-5),
        ),
    ],
)
def test_optimisers_take_the_steps_of_torchs_plain_ones(optimizer, reference) -> None:
    ours, theirs = Heads(), Heads()
    parts = batches(4, 4, 4)
    trained(ours, parts, optimizer=optimizer)
    stepper = reference(theirs.parameters())
    for batch in parts:
        stepper.zero_grad()
        nn.functional.cross_entropy(theirs(batch.images), batch.labels).backward()
        stepper.step()
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_names_epoch_and_step() -> None:
    data = batches(4, 4, 4)
    data[1].images[0, 0, 0, 0] = torch.nan
    with pytest.raises(Diverged, match="the loss was not finite in epoch 0, first in step 1 of 3"):
        trained(Heads(), data)


def test_a_weight_that_is_not_finite_is_named() -> None:
    with pytest.raises(Diverged, match=r"weight heads\.0\.weight was not finite after epoch 0"):
        trained(Heads(), batches(4), optimizer={"name": "sgd", "lr": 1e39})


def test_half_precision_reaches_the_loss_as_float32() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            logits = Heads()(image)
            seen.append(logits.dtype)
            return logits

    model = nn.Sequential(nn.Conv2d(2, 2, 1), Spy())
    assert trained(model, batches(4), precision="bfloat16").autocast is torch.bfloat16
    assert seen == [torch.bfloat16]


def test_a_compiled_network_takes_the_same_steps(monkeypatch) -> None:
    """The logic of the GPU's path, with a compiler that needs no GPU."""
    asked = []
    compile_with = torch.compile

    def compiler(model, *, mode, dynamic):
        asked.append((mode, dynamic))
        return compile_with(model, backend="aot_eager", dynamic=dynamic)

    monkeypatch.setattr(torch, "compile", compiler)
    compiled, eager = Heads(), Heads()
    found = trained(compiled, batches(4, 4, 2), compile=True)
    trained(eager, batches(4, 4, 2))
    torch.testing.assert_close(weights(compiled), weights(eager), rtol=1e-5, atol=1e-6)
    assert asked == [("default", False)]
    assert set(found.state_dict()["model"]) == set(eager.state_dict())  # no prefix of the compiler
    learner._compiled(compiled, torch.device("cuda"))
    assert asked[1:] == [("reduce-overhead", False)]  # CUDA graphs
