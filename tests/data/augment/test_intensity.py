"""Changes of intensity: in their ranges, by channel, and finite."""

import numpy as np
import pytest

from harness.data.augment import Frame, Intensity

torch = pytest.importorskip("torch")

NOTHING = {"gain": 0.0, "offset": 0.0, "contrast": 0.0, "noise": 0.0, "probability": 1.0}


def changed(images, **options):
    n, channels, height, width = images.shape
    frame = Frame(n, channels, height, width, 1.0)
    intensity = Intensity.model_validate({**NOTHING, **options})
    change = intensity.draw(np.random.default_rng(0), frame, images.device)
    return change(images.clone(), slice(0, n))


@pytest.fixture
def images():
    return torch.randn(60, 2, 16, 16, generator=torch.Generator().manual_seed(0))


def test_all_at_zero_changes_nothing(images):
    assert torch.equal(changed(images), images)


def test_gain_and_offset_are_drawn_by_slice_and_channel(images):
    gains = (changed(images, gain=0.25) / images).flatten(2)
    assert (gains.amax(2) - gains.amin(2)).max() < 1e-4
    assert 0.75 <= gains.min() < 0.8
    assert 1.2 < gains.max() <= 1.25
    offsets = (changed(images, offset=0.5) - images).mean((2, 3))
    assert -0.5 <= offsets.min() < -0.4
    assert 0.4 < offsets.max() <= 0.5
    assert not torch.allclose(offsets[:, 0], offsets[:, 1], atol=0.05)


def test_contrast_keeps_the_extremes_and_the_order(images):
    bent = changed(images, contrast=0.8)
    torch.testing.assert_close(bent.amin((2, 3)), images.amin((2, 3)))
    torch.testing.assert_close(bent.amax((2, 3)), images.amax((2, 3)))
    assert torch.equal(bent[3, 1].flatten().argsort(), images[3, 1].flatten().argsort())
    assert (bent - images).abs().max() > 0.3


def test_a_flat_channel_stays_finite():
    flat = torch.full((4, 1, 8, 8), 2.5)
    assert torch.equal(changed(flat, contrast=0.5), flat)


def test_noise_is_white_and_each_slice_has_its_own(images):
    noise = changed(images, noise=0.4) - images
    sigmas = noise.std((2, 3))
    assert sigmas.max() < 0.5
    assert sigmas.mean() == pytest.approx(0.2, abs=0.04)
    unit = (noise / sigmas[..., None, None]).flatten(1)
    alike = torch.corrcoef(unit).fill_diagonal_(0).abs()
    assert alike.max() < 0.25  # 512 pixels: five standard errors
    assert noise.mean().abs() < 0.01
