"""What ``run --until-decided`` has decided, look by look."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select

from harness.store.database import Database
from harness.store.rows import insert_row
from harness.store.schema import StageRow, StudyRow


@dataclass(frozen=True)
class StageRecord:
    """A look at the test scores of one dataset, and what it decided.

    Attributes:
        dataset: Name of the dataset in the study.
        look: From 0.
        question: sha256 of all that was asked: the trials, the margin, the plan of the looks.
        trials: sha256 of the keys of the trials that were judged.
        digest: sha256 of their test scores.
        outcome: ``go on``, ``decided``, ``impossible`` or ``out of seeds``.
        reason: In a sentence.
        alpha: Level of the look.
        planned: Seeds of the planned looks.
        seeds: How many seeds every loss had so far, those that were dropped included.
        dropped: Losses that get no more, from this look on.
        wanted: How many seeds the losses that go on get in total; the others stay as they are.
        at: When it was written; now if absent.
    """

    dataset: str
    look: int
    question: str
    trials: str
    digest: str
    outcome: str
    reason: str
    alpha: float
    planned: tuple[int, ...]
    seeds: Mapping[str, int]
    dropped: tuple[str, ...]
    wanted: Mapping[str, int]
    at: datetime | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more is trained on the dataset."""
        return self.outcome != "go on"

    @property
    def sentence(self) -> str:
        """The look in a sentence."""
        dropped = f"; no more seeds for {', '.join(self.dropped)}" if self.dropped else ""
        end = "" if self.is_last else f"; next with {', '.join(self.wanted)}"
        return (
            f"{self.dataset}, look {self.look + 1} of {len(self.planned)} (up to "
            f"{max(self.seeds.values(), default=0)} seeds, level {self.alpha:.3g}): {self.outcome}: "
            f"{self.reason}{dropped}{end}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "at": None if self.at is None else self.at.isoformat()}


def record_stage(database: Database, study: str, record: StageRecord) -> StageRecord:
    """Write a look, and return what stands in the database: the first answer to a question stays."""
    with database.write() as connection:
        study_id = connection.execute(select(StudyRow.id).where(StudyRow.name == study)).scalar_one()
        same = (StageRow.study_id == study_id, StageRow.question == record.question)
        found = connection.execute(select(StageRow.__table__).where(*same)).one_or_none()
        if found is not None:
            return _record(found)
        values: dict[str, Any] = {
            **vars(record),
            "planned": list(record.planned),
            "dropped": list(record.dropped),
            "seeds": dict(record.seeds),
            "wanted": dict(record.wanted),
            "at": record.at or datetime.now(UTC),
        }
        insert_row(connection, StageRow, study_id=study_id, **values)
        return record


def read_stages(database: Database, study: str) -> list[StageRecord]:
    """Return the looks of a study in the order of time; none if the database has no such study."""
    question = (
        select(StageRow.__table__)
        .join(StudyRow, StudyRow.id == StageRow.study_id)
        .where(StudyRow.name == study)
        .order_by(StageRow.at, StageRow.id)
    )
    with database.read() as connection:
        return [_record(row) for row in connection.execute(question)]


def _record(row: Row[Any]) -> StageRecord:
    return StageRecord(
        row.dataset,
        row.look,
        row.question,
        row.trials,
        row.digest,
        row.outcome,
        row.reason,
        row.alpha,
        tuple(row.planned),
        row.seeds,
        tuple(row.dropped),
        row.wanted,
        row.at,
    )
