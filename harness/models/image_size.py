"""Images of any size through a network that halves them several times."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from harness.models.blocks import Norm


@dataclass(frozen=True)
class Frame:
    """Where an image lies in its padded copy.

    Attributes:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        top: Rows added above it.
        left: Columns added on its left.
    """

    height: int
    width: int
    top: int
    left: int

    def crop(self, padded: Tensor) -> Tensor:
        """Cut ``(..., H, W)`` of the padded size back to the image."""
        return padded[..., self.top : self.top + self.height, self.left : self.left + self.width]


def pad_to_multiple(image: Tensor, multiple: int) -> tuple[Tensor, Frame]:
    """Repeat the edges of ``(B, C, H, W)`` until both sides are multiples; the image stays central."""
    height, width = image.shape[-2:]
    rows, columns = -height % multiple, -width % multiple
    frame = Frame(height, width, rows // 2, columns // 2)
    if rows == columns == 0:
        return image, frame
    sides = (frame.left, columns - frame.left, frame.top, rows - frame.top)
    return F.pad(image, sides, mode="replicate"), frame


def check_bottom(
    padded: Tensor,
    frame: Frame,
    downsamplings: int,
    norm: Norm,
    training: bool,
) -> None:
    """Refuse maps whose normalisation would be a division of zero by zero.

    Raises:
        ValueError: if the deepest level has one value per channel and normalises it.
    """
    pixels = (padded.shape[-2] >> downsamplings) * (padded.shape[-1] >> downsamplings)
    if norm == "batch":
        pixels *= padded.shape[0]
    # Batch norm in eval mode uses what it has seen before.
    if pixels > 1 or norm == "none" or (norm == "batch" and not training):
        return
    raise ValueError(
        f"an image of {frame.height}x{frame.width} pixels leaves one value per channel after "
        f"{downsamplings} downsamplings, which {norm} norm cannot normalise; use larger images"
        + (" or batches" if norm == "batch" else "")
        + ", or a unet2d with fewer levels ('depth') or norm 'none'"
    )
