"""``lossbench db export``, ``import`` and ``merge``: results on their way between databases."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, progress_bar, stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.store.database import Database
    from harness.store.exchange.artifact_files import CopiedFiles
    from harness.store.exchange.findings import MergeReport

CONFLICTS = 1

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class FileFormat(StrEnum):
    """How tables are written."""

    PARQUET = "parquet"
    CSV = "csv"


@dataclass(frozen=True)
class _Source:
    """Another database: its name for people, its URL, and the folder of its trials' files."""

    name: str
    url: str
    artifacts: Path | None = None


@dataclass(frozen=True)
class _Done:
    """What became of one of the others.

    Attributes:
        name: Its name for people.
        report: About its rows.
        copied: About its files; None if none could come along.
        dry_run: Whether nothing was written.
        searches: Number of its searches by what became of them.
    """

    name: str
    report: "MergeReport"
    copied: "CopiedFiles | None"
    dry_run: bool
    searches: Mapping[Any, int] = field(default_factory=dict)

    @property
    def in_conflict(self) -> bool:
        """Whether something of it is another one than ours under the same name."""
        return bool(self.report.conflicts or (self.copied and self.copied.problems))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(export)
    app.command("import")(import_)
    app.command()(merge)


def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write; must not be there.", show_default=False)],
    studies: Annotated[
        list[str] | None,
        typer.Option("--study", help="Only this study. Repeatable.", show_default=False),
    ] = None,
    how: Annotated[FileFormat, typer.Option("--format", help="Of tables and frames.")] = FileFormat.PARQUET,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write studies to a folder: raw tables, tidy frames, and files for the R package challengeR.

    The tables come back with 'lossbench db import'. Networks and predictions are not exported.
    """
    from harness.store.database import open_database
    from harness.store.exchange.exporting import export as write_export

    written = write_export(open_database(Home(home, db).database_url), folder, studies or (), how.value)
    if as_json:
        print_json({"folder": str(folder), **written.model_dump(mode="json")})
        return
    rows: dict[tuple[str, str], int] = {}
    for file in written.files:
        what = (file.study or "", file.holds)
        rows[what] = rows.get(what, 0) + file.rows
    print_table(
        [{"study": study, "what": holds, "rows": count} for (study, holds), count in rows.items()],
        title=f"{len(written.files)} files in {folder}",
    )
    for algorithm in written.algorithms:
        if algorithm.left_out:
            place = f"{algorithm.algorithm!r} on {algorithm.dataset!r} of study {algorithm.study!r}"
            print_warning(f"challengeR: {place} is left out: {algorithm.left_out}")


def import_(
    folder: Annotated[Path, typer.Argument(help="Written by 'lossbench db export'.", show_default=False)],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an exported folder into the database; again changes nothing.

    Exit code 1 if something is another one there under the same name; ours then stays.
    """
    from harness.store.exchange.importing import loaded
    from harness.store.exchange.merging import merge as merge_databases

    with loaded(folder) as other, progress_bar("importing trials") as progress:
        report = merge_databases(_target(Home(home, db), dry_run), other, dry_run, progress)
    _tell([_Done(str(folder), report, None, dry_run)], as_json)


def merge(
    others: Annotated[
        list[str],
        typer.Argument(metavar="OTHER...", help="A .db file, a home folder, or an URL.", show_default=False),
    ],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring in what other databases have: trials by key, with their scores, curves and studies, and searches.

    Again changes nothing. Of home folders the trials' files come along, too. Exit code 1 if something
    is another one there under the same name; ours then stays. Of two searches that with more results stays.
    """
    from harness.store.database import open_database
    from harness.store.exchange.artifact_files import copy_artifacts
    from harness.store.exchange.merging import merge as merge_databases
    from harness.tuning.merging import merge_searches

    where = Home(home, db)
    opened = [(source, open_database(source.url)) for source in map(_source, others)]
    target = _target(where, dry_run)

    def each() -> Iterator[_Done]:
        for source, database in opened:
            with progress_bar("merging trials") as progress:
                report = merge_databases(target, database, dry_run, progress)
            searches = merge_searches(target, database, dry_run)
            copied = None
            if source.artifacts is not None and not dry_run:
                copied = copy_artifacts(target, database, source.artifacts, where.artifacts)
            elif source.artifacts is None and report.added.get("artifact"):
                print_warning(
                    f"{source.name!r}: the trials' files stay there; merge the home folder to copy them"
                )
            yield _Done(source.name, report, copied, dry_run, searches)

    _tell(each(), as_json)


def _target(where: Home, dry_run: bool) -> "Database":
    """Open the database that rows come into; a dry run makes none."""
    from harness.store.database import open_database

    return open_database(where.database_url, create=not dry_run)


def _source(other: str) -> _Source:
    """Return what a word of the command line names.

    Raises:
        InputError: if it is no URL and nothing is there.
    """
    from harness.store.database import file_url
    from harness.store.privacy import shown_url

    if "://" in other:
        return _Source(shown_url(other), other)
    path = Path(other)
    file = path / "results.db" if path.is_dir() else path
    if not file.is_file():
        what = "holds no results.db" if path.is_dir() else "is not there"
        raise InputError(f"{other!r} {what}; give a .db file, a home folder, or an URL")
    return _Source(other, file_url(file), Home(path).artifacts if path.is_dir() else None)


def _tell(found: Iterable[_Done], as_json: bool) -> None:
    """Print what happened, one after the other; exit code 1 if anything was in conflict."""
    done = []
    for each in found:
        done.append(each)
        if not as_json:
            _print_report(each)
    if as_json:
        print_json([_as_document(each) for each in done])
    if any(each.in_conflict for each in done):
        raise typer.Exit(CONFLICTS)


def _as_document(done: _Done) -> dict[str, Any]:
    return {
        "other": done.name,
        **asdict(done.report),
        "searches": dict(done.searches),
        "files": done.copied and asdict(done.copied),
    }


def _fates(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {fate}" for fate, count in counts.items() if count) or "none"


def _print_report(done: _Done) -> None:
    report, copied = done.report, done.copied
    rows = ", ".join(f"{count} {table}" for table, count in report.added.items()) or "nothing"
    for line in (
        f"{done.name}{' (dry run: nothing is written)' if done.dry_run else ''}",
        f"  trials: {_fates(report.trials)}",
        f"  rows {'to add' if done.dry_run else 'added'}: {rows}",
        *([f"  searches: {_fates(done.searches)}"] if done.searches else []),
    ):
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)
    if copied is not None:
        files = f"  files: {copied.copied} copied ({copied.bytes:,} bytes), {copied.there} were here"
        stdout.print(files, highlight=False, markup=False, soft_wrap=True)
    for conflict in report.conflicts:
        stdout.print(f"  conflict: {conflict.sentence}", highlight=False, markup=False, soft_wrap=True)
    for problem in copied.problems if copied else ():
        stdout.print(f"  conflict: {problem}", highlight=False, markup=False, soft_wrap=True)
    for warning in report.warnings:
        print_warning(warning)
