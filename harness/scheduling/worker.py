"""Run one job where it is trained, and pass on what it does, says and raises."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from harness.scheduling.attempt import Attempt
from harness.scheduling.executor import Happening, Said, Stopped
from harness.scheduling.failures import failure_of
from harness.training.job import EpochRecord, Event, Finished

Train: TypeAlias = Callable[[Any], Iterator[Event | Said]]
"""Generator function that runs a job."""

MOST_CHARACTERS = 20_000
"""Of what a job says between two events; the rest is left out."""


def run_job(
    job: Any,
    train: Train,
    stopping: Callable[[], bool],
    capture_output: bool = True,
    goes_on: Callable[[], bool] | None = None,
) -> Iterator[Happening]:
    """Yield the events of a job; what it raises becomes a :class:`Failure`, the last that is yielded.

    Args:
        job: What ``train`` takes.
        train: Trains it.
        stopping: Asked after every event: whether the job shall stop there and leave a checkpoint.
        capture_output: Whether what it prints is taken away from this process's own output.
        goes_on: Asked after every epoch, before ``stopping``; it may wait. If it says no, the job ends as
            pruned. None: the job is not judged.
    """
    ears = _Ears(capture_output)
    events: Any = None
    attempt = Attempt(job)
    try:
        with ears.open():
            events = train(job)
        while True:
            with ears.open():
                event = next(events)
            yield from ears.heard()
            yield event
            attempt.hear(event)
            if goes_on is not None and isinstance(event, EpochRecord) and not goes_on():
                with ears.open():
                    attempt.end(events)
                yield attempt.pruned()
                return
            if stopping() and not isinstance(event, Finished):
                with ears.open():
                    events.close()
                yield Stopped()
                return
    except StopIteration:
        yield from ears.heard()
    except Exception as error:
        yield from ears.heard()
        yield failure_of(error)


class _Ears(logging.Handler):
    """Hears what code prints, logs and warns."""

    def __init__(self, capture_output: bool) -> None:
        super().__init__(logging.INFO)
        self._capture_output = capture_output
        self._text = io.StringIO()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Listen; only while the job's own code runs, so that nobody else's words are taken for its."""
        root = logging.getLogger()
        with contextlib.ExitStack() as stack:
            if self._capture_output:
                stack.enter_context(contextlib.redirect_stdout(self._text))
                stack.enter_context(contextlib.redirect_stderr(self._text))
            root.addHandler(self)
            stack.callback(root.removeHandler, self)
            yield

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record down."""
        if record.levelno >= logging.WARNING or record.name.startswith("harness"):
            self._text.write(self.format(record) + "\n")

    def heard(self) -> Iterator[Said]:
        """Yield what was heard since the last time, if anything."""
        text = self._text.getvalue()
        if not text:
            return
        self._text.seek(0)
        self._text.truncate()
        if len(text) > MOST_CHARACTERS:
            left_out = len(text) - MOST_CHARACTERS
            text = f"{text[:MOST_CHARACTERS]}\n[{left_out} characters more are left out]\n"
        yield Said(text)
