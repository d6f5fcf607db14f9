"""The results of studies as pandas frames, for notebooks and scripts."""

from html import escape
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
from sqlalchemy import column, select, table

from harness.store import frames
from harness.store.database import DATABASE_FILE, Database, file_url, open_database
from harness.store.long_tables import small_frame
from harness.store.query import run_query
from harness.store.schema import ENDED_STATES
from harness.store.summaries import require_study, study_names, study_sizes
from harness.store.views import VIEWS

Names = frames.Names


class Results:
    """An open results database, for reading.

    Its frames are tidy: one row per observation, texts as categories, rows in a fixed order. Use it in a
    ``with`` statement or call :meth:`close`.

    Args:
        database: Open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Results({self._database.shown}, studies={study_names(self._database)!r})"

    def _repr_html_(self) -> str:
        names = "".join(f"<li>{escape(name)}</li>" for name in study_names(self._database))
        return f"<p>Results in {escape(self._database.shown)}</p><ul>{names}</ul>"

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def studies(self) -> pd.DataFrame:
        """Return one row per study: title, when it was last run, its current trials by state."""
        columns = ["study", "title", "updated", "trials", *ENDED_STATES]
        return pd.DataFrame(study_sizes(self._database), columns=columns)

    def scores(
        self,
        study: str,
        *,
        metric: Names = None,
        dataset: Names = None,
        part: Names = None,
        checkpoint: Names = None,
        loss: Names = None,
    ) -> pd.DataFrame:
        """Return the scores of a study; see :func:`harness.store.frames.scores`.

        Raises:
            InputError: naming the nearest, if a name is unknown.
        """
        require_study(self._database, study)
        return frames.scores(
            self._database,
            study,
            metric=metric,
            dataset=dataset,
            part=part,
            checkpoint=checkpoint,
            loss=loss,
        )

    def curves(self, study: str) -> pd.DataFrame:
        """Return the learning curves of a study, one row per trial and epoch."""
        require_study(self._database, study)
        return frames.curves(self._database, study)

    def class_curves(self, study: str) -> pd.DataFrame:
        """Return validation means of a study, one row per trial, epoch, class and metric."""
        require_study(self._database, study)
        return frames.class_curves(self._database, study)

    def trials(self, study: str) -> pd.DataFrame:
        """Return the current trials of a study, those of searches included."""
        require_study(self._database, study)
        return frames.trials(self._database, study)

    def cases(self, study: str) -> pd.DataFrame:
        """Return the cases of a study's datasets with shape, spacing (mm) and voxels per class."""
        require_study(self._database, study)
        return frames.cases(self._database, study)

    def metrics(self) -> pd.DataFrame:
        """Return the newest version of every metric."""
        return frames.metrics(self._database)

    def leaderboard(
        self,
        study: str | None = None,
        *,
        metric: Names = None,
        dataset: Names = None,
        part: Names = None,
    ) -> pd.DataFrame:
        """Return mean and spread over seeds of every loss, best first: the view ``v_leaderboard``.

        Args:
            study: Name of a study; None: all.
            metric: Names of metrics; None: all. The same for the other filters.
            dataset: Names of datasets.
            part: ``test`` or ``validation``.

        Raises:
            InputError: naming the nearest, if a name is unknown.
        """
        board = table("v_leaderboard", *map(column, VIEWS["v_leaderboard"].columns))
        question = select(board)
        if study is not None:
            require_study(self._database, study)
            question = question.where(board.c.study == study)
        with self._database.read() as connection:
            frame = small_frame(connection, question)
        for name, wanted in (("dataset", dataset), ("part", part), ("metric", metric)):
            frame = frames.chosen(frame, name, wanted)
        order = ["study", "dataset", "part", "metric", "rank", "loss"]
        texts = frame.columns[frame.dtypes == "str"]
        return frame.sort_values(order, ignore_index=True).astype(dict.fromkeys(texts, "category"))

    def query(self, sql: str) -> pd.DataFrame:
        """Return what one ``select`` finds.

        Raises:
            InputError: if it is wrong or would write.
        """
        with run_query(self._database, sql) as answer:
            return pd.DataFrame(list(answer.rows), columns=list(answer.columns))


def open_results(source: str | PathLike[str]) -> Results:
    """Open a results database for reading.

    Args:
        source: A database URL, a SQLite file, or a home folder.

    Raises:
        InputError: if there is none, or it has another version.
    """
    text = fspath(source)
    if "://" not in text:
        path = Path(text)
        text = file_url(path / DATABASE_FILE if path.is_dir() else path)
    return Results(open_database(text))
