"""The heart of a driver: keeps its leases alive and writes how far its trials have come."""

import threading
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError

from harness.scheduling.running_trial import Curve, RunningTrial
from harness.store.outage import outage
from harness.store.trials import Beat, TrialStore

BEAT_SECONDS = 5.0

_STOP_SECONDS = 1.0


class Heart:
    """Beats in a thread of its own: training in this process can keep the main thread for long.

    Args:
        store: Of the driver.
        running: Its running trials by key; the driver changes it.
        seconds: Between two beats; :data:`BEAT_SECONDS` if absent.
    """

    def __init__(
        self, store: TrialStore, running: Mapping[str, RunningTrial], seconds: float | None = None
    ) -> None:
        self._store = store
        self._running = running
        self._seconds = seconds or BEAT_SECONDS
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._beating = threading.Lock()
        self._lost: set[str] = set()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, daemon=True, name="lossbench heart")

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; a beat that waits for the database is not waited for."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def lost(self) -> set[str]:
        """Return the keys of trials that another driver has taken over since the last call.

        Raises:
            Exception: that ended the heart, if one did.
        """
        if self._error is not None:
            raise self._error
        with self._lock:
            found, self._lost = self._lost, set()
        return found

    def beat(self) -> None:
        """Beat once; if the database does not answer, the next beat makes up for it."""
        with self._beating:  # the driver beats, too, before it gives a trial back
            self._beat()

    def _beat(self) -> None:
        # Copied first: the driver goes on while this waits for the database.
        curves: dict[str, tuple[Curve, int]] = {}
        beats: dict[str, Beat] = {}
        for key, running in list(self._running.items()):
            if running.curve is None:
                beats[key] = Beat(0)
                continue
            curve = running.curve
            beats[key], written = curve.beat()
            curves[key] = (curve, written)
        try:
            lost = self._store.heartbeat(beats)
        except DBAPIError as error:
            if outage(error) is None:
                raise
            return
        for key in curves.keys() - lost:
            curve, written = curves[key]
            curve.note(written)
        with self._lock:
            self._lost |= lost

    def _live(self) -> None:
        try:
            while not self._stopped.wait(self._seconds):
                self.beat()
        except Exception as error:
            self._error = error
