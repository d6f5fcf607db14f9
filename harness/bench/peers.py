"""Other people's losses beside ours: which function of MONAI or torch one would take instead.

One entry per name of our registry, with the settings that make the peer compute the same: softmax,
sums over the batch, no background where ours has none. Without a note the values agree, which a test
holds. A name that is not registered here is simply never asked for.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from torch import Tensor

PeerLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""loss(logits (B, C, H, W), labels (B, H, W)) -> scalar."""

MOST_AGAINST_MONAI = 0.75
"""Target: the share of the time of MONAI's equivalent."""


@dataclass(frozen=True)
class Peer:
    """The function that one would take instead of ours.

    Attributes:
        title: Library and name.
        build: Returns the function for a number of classes.
        note: Where its formula differs; empty if the values are the same.
        at_most: Target for our time over its time; None without a target.
    """

    title: str
    build: Callable[[int], PeerLoss]
    note: str = ""
    at_most: float | None = MOST_AGAINST_MONAI

    @property
    def library(self) -> str:
        """The module that must be installed."""
        return "monai" if "MONAI" in self.title else "torch"

    @property
    def installed(self) -> bool:
        """Whether it can be built here."""
        return importlib.util.find_spec(self.library) is not None


def _monai(name: str, note: str = "", at_most: float = MOST_AGAINST_MONAI, **settings: Any) -> Peer:
    """Return the peer that is one class of ``monai.losses``."""

    def build(classes: int) -> PeerLoss:
        import monai.losses

        loss = getattr(monai.losses, name)(to_onehot_y=True, **settings)
        return lambda logits, labels: loss(logits, labels.unsqueeze(1))

    return Peer(f"MONAI {name}", build, note, at_most)


def _sum(*parts: Peer, note: str = "") -> Peer:
    """Return the peer that adds others, as one would write it in a training loop."""

    def build(classes: int) -> PeerLoss:
        first, *others = (part.build(classes) for part in parts)

        def total(logits: Tensor, labels: Tensor) -> Tensor:
            value = first(logits, labels)
            for other in others:
                value = value + other(logits, labels)
            return value

        return total

    title = " + ".join(part.title for part in parts)
    notes = dict.fromkeys(text for text in (*(part.note for part in parts), note) if text)
    return Peer(title, build, "; ".join(notes))


def _torch_ce(**settings: Any) -> Peer:
    """Return torch's cross entropy: MONAI has none, and uses this one in its own sums."""

    def build(classes: int) -> PeerLoss:
        from torch import nn

        return nn.CrossEntropyLoss(**settings)

    return Peer("torch CrossEntropyLoss", build, at_most=None)


def _monai_unified_focal(classes: int) -> PeerLoss:
    from monai.losses.unified_focal_loss import AsymmetricUnifiedFocalLoss

    loss = AsymmetricUnifiedFocalLoss(to_onehot_y=True, num_classes=classes, gamma=0.5, delta=0.6)
    return lambda logits, labels: loss(logits.softmax(1), labels.unsqueeze(1))


def _monai_anatomynet(classes: int) -> PeerLoss:
    # A sum over classes is C times MONAI's mean.
    peer = _monai("DiceFocalLoss", lambda_dice=float(classes), lambda_focal=0.5, batch=True, softmax=True)
    return peer.build(classes)


_FOREGROUND: Mapping[str, Any] = MappingProxyType({"include_background": False, "softmax": True})
_IN_BATCH: Mapping[str, Any] = MappingProxyType({**_FOREGROUND, "batch": True})

_CE = _torch_ce()
_DICE = _monai("DiceLoss", **_IN_BATCH)
_FOCAL = _monai("FocalLoss", "it is ours / C", use_softmax=True)
_GDL = _monai("GeneralizedDiceLoss", "eps biases large structures", batch=True, softmax=True)
_BOUNDARY = _monai("BoundaryLoss", "maps made in the step, no spacing", **_FOREGROUND)
_HAUSDORFF = _monai("HausdorffDTLoss", "cuts at p > 0.5, no spacing", at_most=1 / 20, **_FOREGROUND)
_SIGMOID_FOCAL = "its focal part is a sigmoid's"
_CLDICE = "pools the classes of each image"

PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "ce": _CE,
        "label_smoothed_ce": _torch_ce(label_smoothing=0.1),
        "focal": _FOCAL,
        "dice": _DICE,
        "squared_dice": _monai("DiceLoss", squared_pred=True, **_IN_BATCH),
        "iou": _monai("DiceLoss", jaccard=True, **_IN_BATCH),
        "gdl": _GDL,
        "tversky": _monai("TverskyLoss", alpha=0.3, beta=0.7, **_IN_BATCH),
        "mcc": _monai("MCCLoss", **_IN_BATCH),
        "boundary": _BOUNDARY,
        "hausdorff": _HAUSDORFF,
        "asymmetric_unified_focal": Peer(
            "MONAI AsymmetricUnifiedFocalLoss",
            _monai_unified_focal,
            "first two classes only, per image; half the CE part",
        ),
        "anatomynet": Peer("MONAI DiceFocalLoss", _monai_anatomynet, _SIGMOID_FOCAL),
        "cldice": _monai("SoftclDiceLoss", _CLDICE, iter_=10, **_FOREGROUND),
        "dice_ce": _monai("DiceCELoss", **_IN_BATCH),
        "dice_focal": _monai("DiceFocalLoss", _SIGMOID_FOCAL, lambda_focal=0.5, **_IN_BATCH),
        "dice_cldice": _monai("SoftDiceclDiceLoss", _CLDICE, iter_=10, **_FOREGROUND),
        "dice_hausdorff": _sum(_DICE, _HAUSDORFF, note="without the balance"),
        "gdl_boundary": _sum(_GDL, _BOUNDARY),
        "dice_boundary": _sum(_DICE, _BOUNDARY),
        "ce_boundary": _sum(_CE, _BOUNDARY),
        "focal_boundary": _sum(_FOCAL, _BOUNDARY),
    }
)
