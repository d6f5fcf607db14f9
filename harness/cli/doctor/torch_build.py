"""torch: is it there, which build, and does it repeat itself."""

from collections.abc import Iterator

from harness.cli.doctor.base import Finding, Setup, check


@check("torch", "software")
def look(_setup: Setup) -> Iterator[Finding]:
    """Import torch and train one small layer twice."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library is missing or damaged
        said = f"torch cannot be imported ({str(error).splitlines()[0]})"
        yield Finding(said, "broken", "install it again: pip install --force-reinstall torch")
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding(f"torch {torch.__version__}, {build}, {capability}, {torch.get_num_threads()} threads")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if _gradient() == _gradient():
        yield Finding("deterministic operations repeat bit for bit")
    else:
        yield Finding(
            "two equal training steps differ",
            "broken",
            "install the version of torch in constraints.txt; no trial can be repeated with this one",
        )


def _gradient() -> bytes:
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 16, 16, generator=generator)
    weights = torch.randn(4, 3, 3, 3, generator=generator).requires_grad_()
    scores = torch.nn.functional.conv2d(images, weights, padding=1)
    loss = torch.nn.functional.interpolate(scores, scale_factor=2, mode="bilinear").square().sum()
    (gradient,) = torch.autograd.grad(loss, weights)
    return gradient.numpy().tobytes()
