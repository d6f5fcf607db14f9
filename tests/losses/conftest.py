"""The worked examples of the formula sheet, in float64."""

import pytest
import torch


def _logits(*images):
    """Images as rows of pixels (p_0, ..., p_C-1) -> logits (B, C, H, W) = ln p."""
    return torch.stack([torch.tensor(image, dtype=torch.float64).permute(2, 0, 1) for image in images]).log()


E2 = (
    _logits([[(0.1, 0.9), (0.3, 0.7)], [(0.6, 0.4), (0.9, 0.1)]]),
    torch.tensor([[[1, 1], [0, 1]]]),
)
E3 = (
    _logits([[(0.2, 0.7, 0.1), (0.6, 0.3, 0.1)]], [[(0.8, 0.1, 0.1), (0.5, 0.3, 0.2)]]),
    torch.tensor([[[1, 0]], [[0, 0]]]),
)
E4 = (
    _logits([[(0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.1, 0.2, 0.7)]]),
    torch.tensor([[[0, 1, 2]]]),
)


@pytest.fixture
def example():
    """A function from the name of a worked example to its (logits, labels)."""
    return {"E2": E2, "E3": E3, "E4": E4}.__getitem__


@pytest.fixture
def noise():
    """A function from (B, C, H, W) to random logits and labels, float64."""

    def draw(batch=2, classes=3, height=6, width=5, seed=0, dtype=torch.float64):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(batch, classes, height, width, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, classes, (batch, height, width), generator=generator)
        return logits.to(dtype), labels

    return draw
