"""What is known about one printed number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A table of a paper.

    Attributes:
        citation: The paper.
        short: The paper in a table's head, as in ``Kervadec et al. 2019``.
        table: The table.
        url: Where the paper is.
        evaluation: Which cases were scored.
        metric_note: How the metrics are defined there, and what that means beside ours.
        spread: What the number in parentheses is, or that there is none.
        caveat: What else a reader has to know.
    """

    citation: str
    short: str
    table: str
    url: str
    evaluation: str
    metric_note: str
    spread: str
    caveat: str


@dataclass(frozen=True)
class PublishedNumber:
    """A number printed in a paper.

    Attributes:
        study: The study that reproduces it, as in ``kervadec2019``.
        dataset: Name in our catalogue; empty if it is not there.
        printed_dataset: The dataset as printed.
        loss: The loss, or the row of the table, as printed.
        expression: Our loss in canonical form; empty if the row stands for no loss of ours.
        label: The structure as printed, ``average`` for their mean; empty where only one value was printed.
        metric: Its name among ours: ``dsc``, ``hd``, ``hd95`` or ``nsd``.
        value: The number, per cent of a DSC as 0..1; None where the paper prints NA.
        spread: See the source; None if there is none.
        unit: Empty for 0..1.
        source: Where it stands.
        comparable: Whether the metric is the same quantity as ours of that name.
        printed: The number as printed, with its spread and unit.
        setting: What sets the row apart from others with the same loss: network, trainer, weights.
        remark: What the row alone needs to have said.
        class_name: The structure by our name of the class; empty for all foreground classes together.
        variant: What was changed beside the loss, as a study of ours labels it: ``batch norm``.
        alpha: The schedule of alpha, with its value if it is constant: ``constant 0.01``; empty if the loss
            has none, or if it is not known.
        nearest: Our metric that is nearest where that of the same name is farther: ``slice_dsc``; else empty.
    """

    study: str
    dataset: str
    printed_dataset: str
    loss: str
    expression: str
    label: str
    metric: str
    value: float | None
    spread: float | None
    unit: str
    source: Source
    comparable: bool
    printed: str
    setting: str = ""
    remark: str = ""
    class_name: str = ""
    variant: str = ""
    alpha: str = ""
    nearest: str = ""

    @property
    def beside(self) -> str:
        """The metric of ours that the number stands beside."""
        return self.nearest or self.metric

    @property
    def relative(self) -> bool:
        """Whether it is the change of a metric in %, not the metric."""
        return self.unit.startswith("relative change")
