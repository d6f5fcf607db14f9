"""What boundary loss and Dice do to the mismatch dS of a segmentation S and the truth G.

Both shrink it; the difference is how they weight it (Kervadec et al., MIDL 2019).
"""

import math

import numpy as np
import pytest
import torch

from harness.geometry import signed_distance_map
from harness.losses import LOSSES


def discs(shift, radius=1.0, pixels_per_unit=40):
    """G and S, discs of which S is moved by ``shift`` units to the right, and the size of a pixel."""
    half = round((radius + shift + 0.1) * pixels_per_unit)
    y, x = (np.mgrid[-half:half, -half:half] + 0.5) / pixels_per_unit
    return x**2 + y**2 < radius**2, (x - shift) ** 2 + y**2 < radius**2, 1 / pixels_per_unit


def hard(S):
    """Logits whose probabilities are S."""
    S = torch.from_numpy(S).double()
    return 1e3 * torch.stack([1 - 2 * S, 2 * S - 1]).unsqueeze(0)


def test_dice_loss_counts_the_mismatch():
    G, S, _ = discs(0.3)
    loss = LOSSES["dice"](eps=1e-12)(hard(S), torch.from_numpy(G).long().unsqueeze(0))
    assert loss.item() == pytest.approx((S ^ G).sum() / (S.sum() + G.sum()), rel=1e-9)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.9)])
def test_boundary_loss_sums_the_distances_over_the_mismatch(spacing):
    G, S, _ = discs(0.3)
    phi = signed_distance_map(G, spacing)
    assert phi[S].sum() - phi[G].sum() == pytest.approx(np.abs(phi[S ^ G]).sum(), rel=1e-5)
    labels = torch.from_numpy(G).long().unsqueeze(0)
    loss = LOSSES["boundary"]()
    of_S, of_G = (loss(hard(X), labels, spacing=torch.tensor(spacing)).item() for X in (S, G))
    assert (of_S - of_G) * G.size == pytest.approx(np.abs(phi[S ^ G]).sum(), rel=1e-5)


def test_twice_that_sum_approaches_the_distance_of_the_contours():
    """Dist(dG, dS) = integral over dG of (normal distance to dS)^2, pi R shift^2 to leading order."""
    errors = []
    for shift in (0.4, 0.2, 0.1):
        G, S, pixel = discs(
            shift, pixels_per_unit=round(100 / shift)
        )  # the staircase of the edge shrinks, too
        phi = signed_distance_map(G, (pixel, pixel))
        angles = np.linspace(0, 2 * math.pi, 20_000, endpoint=False)
        cosine, sine = np.cos(angles), np.sin(angles)
        to_dS = shift * cosine + np.sqrt(1 - (shift * sine) ** 2) - 1  # along the normal of dG
        differential = (to_dS**2).mean() * 2 * math.pi
        assert differential == pytest.approx(math.pi * shift**2, rel=0.2)
        integral = 2 * np.abs(phi[S ^ G]).sum(dtype=float) * pixel**2
        errors.append(abs(integral / differential - 1))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.015


def test_dice_weights_the_mismatch_evenly_and_the_boundary_loss_by_distance():
    labels = torch.zeros(1, 20, 20, dtype=torch.long)
    labels[0, 8:12, 8:12] = 1
    p = torch.full((1, 20, 20), 0.1, dtype=torch.float64)
    z = torch.stack([1 - p, p], 1).log()
    gradients = {}
    for name in ("dice", "boundary"):
        logits = z.clone().requires_grad_()
        LOSSES[name]()(logits, labels).backward()
        gradients[name] = logits.grad[0, 1]
    near, far = (10, 13), (10, 18)
    assert gradients["dice"][near].item() == pytest.approx(gradients["dice"][far].item())
    ratio = gradients["boundary"][far] / gradients["boundary"][near]
    assert ratio.item() == pytest.approx(6.5 / 1.5)
