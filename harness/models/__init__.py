"""Networks: images in, logits out.

What lives here: one module per network, each a ``torch.nn.Module`` that takes
``(in_channels, n_classes, **options)`` and maps images ``(B, C, H, W)`` to logits
``(B, n_classes, H, W)`` of the same height and width, without softmax. A new network is one class
in one new module of this folder, decorated with ``@MODELS.register("name")``; every module of the
folder is imported here, so nothing else has to be edited. A class attribute ``words`` says what a methods
section calls it.

What may come in: torch. What must not: losses, data, training, or any other room of the project.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from torch import nn

from harness.errors import nearest
from harness.models.deep_supervision import deep_supervision_weights
from harness.registry import Registry

__all__ = ["MODELS", "build_model", "deep_supervision_weights", "find_model"]

MODELS: Registry[Callable[..., nn.Module]] = Registry("model")
"""Networks by the name that a study file gives them."""


def build_model(name: str, in_channels: int, n_classes: int, **options: Any) -> nn.Module:
    """Build a network with freshly drawn weights.

    The weights come from torch's global generator: seed it before the call.

    Args:
        name: A key of :data:`MODELS`, or ``my_package.my_module:MyNet`` for somebody else's class.
        in_channels: Number of image channels, at least 1.
        n_classes: Number of classes including the background, at least 2.
        **options: The network's own keyword arguments.

    Returns:
        The network in training mode, on the CPU, in float32.

    Raises:
        InputError: if ``name`` is not registered.
        ValueError: if a foreign class cannot be imported, an option does not exist or a value is
            out of range.
    """
    if in_channels < 1:
        raise ValueError(f"a model needs at least 1 image channel (got in_channels={in_channels})")
    if n_classes < 2:
        raise ValueError(f"a model needs at least 2 classes, background included (got n_classes={n_classes})")
    factory = find_model(name)
    parameters = inspect.signature(factory).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    known = [key for key in parameters if key not in ("in_channels", "n_classes")]
    for option in options:
        if option not in known and not takes_any:
            hint = nearest(option, known) or f"; it has: {', '.join(known)}"
            raise ValueError(f"model {name!r} has no option {option!r}{hint}")
    return factory(in_channels, n_classes, **options)


def find_model(name: str) -> Callable[..., nn.Module]:
    """Return the class of a registered network, or import ``my_package.my_module:MyNet``.

    Raises:
        InputError: if the name is not registered.
        ValueError: if a foreign class cannot be imported.
    """
    return _foreign(name) if ":" in name else MODELS[name]


def _foreign(reference: str) -> Callable[..., nn.Module]:
    """Import ``module:attribute``."""
    module, _, attribute = reference.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot import model {reference!r}: {error}") from error
    if not callable(factory):
        raise ValueError(f"model {reference!r} is not a class or function")
    return factory  # type: ignore[no-any-return]


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
