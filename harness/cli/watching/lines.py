"""Views that write one line per event: for logs, for people who want quiet, for programs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from harness.cli.output import stderr
from harness.cli.watching.board import left_words, one_line
from harness.cli.watching.tally import Tally, place
from harness.scheduling.progress import Cell, cell_of
from harness.store.privacy import without_secrets
from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord


class QuietView(Tally):
    """Only what went wrong, and notes."""

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Say why."""
        super().failed(planned, reason, will_retry)
        _line(f"{'trying again' if will_retry else 'failed'}: {place(planned)}: {reason}")

    def note(self, sentence: str) -> None:
        """Say so."""
        super().note(sentence)
        if sentence:
            _line(sentence)


class PlainView(QuietView):
    """What happens to trials, for logs."""

    def begin(self, cells: Mapping[Cell, int], workers: int) -> None:
        """Say how many trials there are."""
        super().begin(cells, workers)
        _line(f"{self.total} trials, {workers} at a time")

    def cells(self, cells: Mapping[Cell, int]) -> None:
        """Say how many there are after all."""
        before = self.total
        super().cells(cells)
        if self.total != before:
            _line(f"{self.total} trials after all, {before} were expected")

    def workers(self, number: int) -> None:
        """Say how many run at a time from now on."""
        if number != self.places:
            _line(f"{number} trial{'' if number == 1 else 's'} at a time from now on")
        super().workers(number)

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """Say so only if it goes on in the middle."""
        super().started(planned, resumed_at)
        if resumed_at:
            _line(f"goes on at epoch {resumed_at}: {place(planned)}")

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Say how it went."""
        super().finished(planned, state, best_val_dsc, seconds)
        dsc = "-" if best_val_dsc is None else f"{best_val_dsc:.3f}"
        how = f"validation DSC {dsc}, {seconds:.0f} s; {left_words(self.time.left())}"
        _line(f"[{self.ended}/{self.total}] {state}: {place(planned)}: {how}")

    def stopped(self, planned: PlannedTrial, epoch: int) -> None:
        """Say where it goes on."""
        super().stopped(planned, epoch)
        _line(f"stopped before epoch {epoch}: {place(planned)}")


class JsonView(Tally):
    """One JSON object per event; its fields are described in ``docs/watching.md``."""

    def begin(self, cells: Mapping[Cell, int], workers: int) -> None:
        """Tell the cells."""
        super().begin(cells, workers)
        _event("begin", study=self.study, trials=self.total, workers=workers, cells=_listed(cells))

    def cells(self, cells: Mapping[Cell, int]) -> None:
        """Tell the cells again."""
        super().cells(cells)
        _event("cells", trials=self.total, cells=_listed(cells))

    def workers(self, number: int) -> None:
        """Tell how many there are."""
        super().workers(number)
        _event("workers", workers=number)

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """Tell that the database had it."""
        super().reused(planned, state)
        _event("reused", **_trial(planned), state=state)

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """Tell where it begins."""
        super().started(planned, resumed_at)
        _event("started", **_trial(planned), resumed_at=resumed_at, epochs=planned.trial.protocol.epochs)

    def epoch(self, planned: PlannedTrial, record: EpochRecord) -> None:
        """Tell how far it is and how good."""
        super().epoch(planned, record)
        numbers = {"train_loss": record.train_loss, "val_dsc": record.val_dsc, "seconds": record.seconds}
        epochs = planned.trial.protocol.epochs
        _event("epoch", **_trial(planned), epoch=record.epoch, epochs=epochs, **numbers)

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Tell how it went, and what is left."""
        super().finished(planned, state, best_val_dsc, seconds)
        result = {"state": state, "best_val_dsc": best_val_dsc, "seconds": seconds}
        _event("finished", **_trial(planned), **result, **self._whole())

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Tell why."""
        super().failed(planned, reason, will_retry)
        why = {"reason": without_secrets(reason), "will_retry": will_retry}
        _event("failed", **_trial(planned), **why, **self._whole())

    def stopped(self, planned: PlannedTrial, epoch: int) -> None:
        """Tell where it goes on."""
        super().stopped(planned, epoch)
        _event("stopped", **_trial(planned), epoch=epoch)

    def note(self, sentence: str) -> None:
        """Tell it."""
        super().note(sentence)
        _event("note", sentence=without_secrets(sentence))

    def _whole(self) -> dict[str, Any]:
        left = self.time.left()
        return {
            "ended": self.ended,
            "trials": self.total,
            "trials_per_hour": self.time.per_hour(),
            "seconds_left": None if left is None else [left.low, left.high],
        }


def _trial(planned: PlannedTrial) -> dict[str, Any]:
    trial = planned.trial
    return {"trial": trial.key, **_cell(cell_of(planned)), "seed": trial.seed, "fold": trial.fold}


def _listed(cells: Mapping[Cell, int]) -> list[dict[str, Any]]:
    return [{**_cell(cell), "trials": number} for cell, number in cells.items()]


def _cell(cell: Cell) -> dict[str, Any]:
    return {"dataset": cell.dataset, "loss": cell.label, "purpose": cell.purpose}


def _event(name: str, **fields: Any) -> None:
    known = {key: _json_number(value) for key, value in fields.items()}
    # Past the console: it writes control characters out its own way, JSON has another.
    text = json.dumps({"event": name, "at": datetime.now(UTC).isoformat(timespec="seconds"), **known})
    stderr.file.write(f"{text}\n")
    stderr.file.flush()


def _json_number(value: Any) -> Any:
    """Return null for what JSON has no number for: a loss that diverged."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _line(text: str) -> None:
    stderr.print(one_line(without_secrets(text)), highlight=False, markup=False, soft_wrap=True)
