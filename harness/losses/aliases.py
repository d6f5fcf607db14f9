"""Well-known names for sums of losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Alias:
    """A well-known name for a sum of losses; it is replaced by the sum before anything else.

    Attributes:
        expression: The sum.
        doc: What it is, for listings.
        reference: Paper.
    """

    expression: str
    doc: str
    reference: str


ALIASES: Mapping[str, Alias] = MappingProxyType(
    {
        "dice_ce": Alias(
            "dice + ce",
            "Dice + CE, 1:1. nnU-Net returns CE - Dice coefficient: 1 less, the same gradient. "
            "MONAI's DiceCELoss ignores include_background in its CE part, as we do.",
            "Isensee et al., Nature Methods 2021 (nnU-Net)",
        ),
        "dice_focal": Alias(
            "dice + 0.5*focal",
            "Dice + 0.5 focal (gamma 2), with the mean of Dice over classes where the paper has the sum "
            "(that one is the loss anatomynet). The released code trains the Dice part only; MONAI's "
            "DiceFocalLoss is 1:1 with a sigmoid focal.",
            "Zhu et al., Medical Physics 2019 (AnatomyNet)",
        ),
        "dice_topk": Alias(
            "dice + topk_ce",
            "Dice + TopK cross entropy (k 10 %), 1:1.",
            "Ma et al., Medical Image Analysis 2021; nnU-Net",
        ),
        "ce_size_l1": Alias(
            "ce + size_l1",
            "CE + the L1 distance of the class sizes, 1:1 as in every published configuration.",
            "Liu et al., Medical Image Analysis 2024",
        ),
        "gdl_boundary": Alias(
            "gdl + boundary",
            "Generalised Dice + boundary loss. Meant with an alpha: unweighted, the boundary term (in pixels "
            "or millimetres) is 10 to 100 times the other at the start.",
            "Kervadec et al., MIDL 2019",
        ),
        "dice_boundary": Alias(
            "dice + boundary",
            "Dice + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
        "ce_boundary": Alias(
            "ce + boundary",
            "CE + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
        "focal_boundary": Alias(
            "focal + boundary",
            "Focal + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
        "dice_ce_surface": Alias(
            "dice + ce + generalised_surface",
            "Dice + CE and the generalised surface loss; meant with an alpha from 1 to 0 on the latter "
            "(linear, cosine or step).",
            "Celaya et al., arXiv 2302.03868, eq. 8",
        ),
        "dice_blob": Alias(
            "2*dice + blob",
            "Blob loss as published: twice the global Dice loss and once the mean over the components.",
            "Kofler et al., IPMI 2023",
        ),
        "cc_dice_ce": Alias(
            "dice + ce + cc",
            "CC-DiceCE: Dice + CE over the image, and Dice + CE over the cell of every component.",
            "Bouteille et al., ISBI 2026",
        ),
        "dice_cldice": Alias(
            "0.5*dice + 0.5*cldice",
            "Dice + centreline Dice, half and half.",
            "Shit et al., CVPR 2021",
        ),
        "dice_ce_skeleton_recall": Alias(
            "dice + ce + skeleton_recall",
            "Dice + CE + skeleton recall, 1:1:1.",
            "Kirchhoff et al., ECCV 2024",
        ),
    }
)
