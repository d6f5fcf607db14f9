"""Studies of the losses of papers without any training; scores come from rows, patients and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.description import catalogue
from harness.metrics import METRICS
from harness.published import PublishedNumber, published_numbers
from harness.store.database import open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.trials import TrialRecord, TrialStore
from reports.results import StudyResults, load_results
from tests.reports.wide_study import MACHINE, TRAINING, score_row

STUDY = "papers"
SCORED = ("dsc", "hd", "hd95", "slice_dsc", "nsd_2mm")


@dataclass(frozen=True)
class Line:
    """A row of a study: its label, its loss, its alpha."""

    label: str
    expression: str
    alpha: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Papers:
    """What a study is made of.

    Attributes:
        lines: Its rows, those of variants among them.
        datasets: Names.
        variants: Labels of the variants that it declares.
        seeds: How many.
        patients: Test patients of every dataset.
        classes: Of a dataset, in place of those of the catalogue.
    """

    lines: Sequence[Line]
    datasets: Sequence[str]
    variants: Sequence[str] = ()
    seeds: int = 1
    patients: int = 1
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def classes_of(self, dataset: str) -> tuple[str, ...]:
        """Return the classes of a dataset, background first."""
        return ("background", *(self.classes.get(dataset) or _foreground(dataset.removesuffix("-sim"))))


def alpha_of(words: str) -> dict[str, Any] | None:
    """Return the schedule that a printed row names."""
    if not words:
        return None
    kind, _, start = words.partition(" ")
    form = {"form": "mix" if kind == "rebalance" else "add"}
    return {"schedule": kind, **form, **({"start": float(start)} if start else {})}


def label_of(number: PublishedNumber) -> str:
    """Return the label of the row that a printed number belongs to in :func:`study_of_paper`."""
    base = " | ".join(filter(None, [number.expression, number.alpha]))
    return f"{base} ({number.variant})" if number.variant else base


def study_of_paper(study: str) -> Papers:
    """Return a study with every loss, schedule, variant and dataset of a paper."""
    numbers = [number for number in published_numbers(study) if number.expression]
    lines = {label_of(each): Line(label_of(each), each.expression, alpha_of(each.alpha)) for each in numbers}
    return Papers(
        list(lines.values()),
        list(dict.fromkeys(each.dataset for each in numbers)),
        list(dict.fromkeys(each.variant for each in numbers if each.variant)),
    )


def make_papers(root: Path, papers: Papers) -> StudyResults:
    """Fill a database below ``root`` and load it."""
    database = open_database(f"sqlite:///{root / 'results.db'}", create=True)
    store = TrialStore(database, STUDY)
    study = store.register_study(STUDY, "Losses of papers", _resolved(papers))
    store.register_metrics(
        {"name": m.name, "version": m.version, "title": m.title, "unit": m.unit, "direction": m.direction}
        for m in METRICS.values()
    )
    for dataset in papers.datasets:
        register_dataset(database, _dataset(dataset, papers))
    records = list(_records(papers))
    store.register_trials(study, records, restart=True)
    for record in records:
        assert store.claim([record.key])[record.key].taken
        store.finish(record.key, _outcome(record, papers))
    return load_results(database, STUDY, root, root, peek=False)


@cache
def _foreground(dataset: str) -> tuple[str, ...]:
    return tuple(_catalogue()[dataset].classes.values())


@cache
def _catalogue() -> Mapping[str, Any]:
    return catalogue()


def _resolved(papers: Papers) -> dict[str, Any]:
    labels = [line.label for line in papers.lines]
    varied = {
        variant: [base for base in labels if f"{base} ({variant})" in labels] for variant in papers.variants
    }
    of_variants = {f"{base} ({variant})" for variant, bases in varied.items() for base in bases}
    return {
        "study": STUDY,
        "title": "Losses of papers",
        "datasets": list(papers.datasets),
        "losses": [
            {"label": line.label, "loss": line.expression, "alpha": line.alpha}
            for line in papers.lines
            if line.label not in of_variants
        ],
        "variants": [
            {"label": variant, "protocol": {}, "model": {"norm": "batch"}, "losses": bases}
            for variant, bases in varied.items()
        ],
        "seeds": papers.seeds,
        **TRAINING,
    }


def _dataset(name: str, papers: Papers) -> DatasetRecord:
    classes = papers.classes_of(name)
    voxels = (900, *[100] * (len(classes) - 1))
    cases = tuple(
        (f"p{number}", f"p{number}", None, (4, 16, 16), (3.0, 1.0, 1.0), voxels)
        for number in range(papers.patients)
    )
    return DatasetRecord(f"fingerprint-{name}", name, name, classes, cases)


def _records(papers: Papers) -> Iterator[TrialRecord]:
    for seed in range(papers.seeds):
        for dataset in papers.datasets:
            for place, line in enumerate(papers.lines):
                yield TrialRecord(
                    key=f"{place:03}{seed:03}-{dataset}",
                    fingerprint=f"fingerprint-{dataset}",
                    dataset=dataset,
                    label=line.label,
                    loss_expression=line.expression,
                    loss_family="compound" if "+" in line.expression else "region",
                    loss_canonical={"expression": line.expression, "place": place},
                    seed=seed,
                    fold=0,
                    purpose="study",
                    canonical={"split": {"kind": "holdout"}, "loss": {"alpha": line.alpha}},
                )


def _outcome(record: TrialRecord, papers: Papers) -> Outcome:
    place = [line.label for line in papers.lines].index(record.label)
    random = np.random.default_rng([place, record.seed])
    worth = 0.8 - 0.02 * place + 0.005 * random.normal()
    dsc = worth + 0.01 * random.normal(size=papers.patients)
    classes = range(1, len(papers.classes_of(record.dataset)))
    scores = [
        score_row(f"p{patient}", "best", metric, value, index)
        for patient, value in enumerate(dsc)
        for index in classes
        for metric in SCORED
    ]
    return Outcome(
        state="done",
        collapsed=False,
        reason=None,
        best_epoch=7,
        best_val_dsc=0.8,
        seconds=1.0,
        epochs=[],
        scores=scores,
        artifacts=[],
        **MACHINE,
    )
