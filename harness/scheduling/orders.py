"""What a driver has told the worker of one job, while that trains in another thread."""

import threading

ANSWER_SECONDS = 30.0
"""How long a job that shall stop waits for the answer to its epoch; a driver that lives gives it at once."""


class Orders:
    """Stop, go on, end: given by one thread, taken by another.

    Args:
        patience: See :data:`ANSWER_SECONDS`.
    """

    def __init__(self, patience: float = ANSWER_SECONDS) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._stopping = False
        self._answer: bool | None = None

    def stop(self) -> None:
        """The job shall stop after its epoch and leave a checkpoint."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def answer(self, goes_on: bool) -> None:
        """The job may begin its next epoch, or shall end here."""
        with self._changed:
            self._answer = goes_on
            self._changed.notify_all()

    def stopping(self) -> bool:
        """Whether it shall stop."""
        return self._stopping

    def goes_on(self) -> bool:
        """Wait for the answer to the epoch that was just told, and return it.

        Even a job that shall stop waits: if the answer is no, that epoch was its last, whoever goes on.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._stopping)
            self._changed.wait_for(lambda: self._answer is not None, self._patience)
            found, self._answer = self._answer, None
        return found is not False
