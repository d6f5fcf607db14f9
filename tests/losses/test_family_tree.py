"""Every edge of the family tree is an equation, or names a part that exists."""

import pytest
import torch

from harness.losses import LOSSES

EDGES = [(name, relation) for name, loss in LOSSES.items() for relation in loss.relations]
EQUATIONS = [(name, relation) for name, relation in EDGES if relation.kind == "equals"]


@pytest.mark.parametrize(("name", "relation"), EDGES, ids=lambda edge: getattr(edge, "other", edge))
def test_edges_lead_to_registered_losses(name, relation):
    assert relation.other in LOSSES
    assert relation.other != name
    assert relation.parameters.keys() <= LOSSES[name].defaults().keys()
    assert relation.other_parameters.keys() <= LOSSES[relation.other].defaults().keys()


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("name", "relation"), EQUATIONS, ids=lambda edge: getattr(edge, "other", edge))
def test_equal_for_these_parameters(name, relation, classes, noise, needs_of):
    logits, labels = noise(classes=classes)
    needs = needs_of(logits, labels)
    logits.requires_grad_()
    one = LOSSES[name](**relation.parameters)(logits, labels, **needs)
    other = relation.factor * LOSSES[relation.other](**relation.other_parameters)(logits, labels, **needs)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(
        *(torch.autograd.grad(value, logits)[0] for value in (one, other)), rtol=1e-6, atol=1e-9
    )


def test_the_tree_reaches_every_family():
    assert {LOSSES[name].family for name, _ in EDGES} == {loss.family for loss in LOSSES.values()}
