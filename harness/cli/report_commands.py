"""``report``, ``gallery`` and ``watch``: from results to pages."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import stderr, stdout
from harness.cli.study_options import study_name

StyleOption = Annotated[
    str,
    typer.Option(
        help="Journal that figures are drawn for: elsevier, ieee, mdpi, nature, slides or springer."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (report, gallery, watch):
        app.command()(command)


def report(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY",
            help="Name of a study in the database, or its YAML file; of several to put them side by side.",
            show_default=False,
        ),
    ],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; below the home folder if absent.", show_default=False),
    ] = None,
    peek: Annotated[
        bool,
        typer.Option(
            "--peek", help="Show test results of an unfinished study; recorded as a look at the test set."
        ),
    ] = False,
    style: StyleOption = "elsevier",
    only: Annotated[
        str | None,
        typer.Option(
            help="Write only these figures and tables: F4,T1; FC1,TC4 of several studies.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that draw figures; as many as a study is worth if absent.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write figures, tables and one self-contained page: report.html of one study, compare.html of several.

    Several studies are put side by side by what they share. On the same datasets, the first is before and
    the others after: the change of every loss with its interval. On other data, the standing of every loss
    and how far the rankings agree. What their protocols differ in is listed.
    """
    from harness.store.database import open_database
    from reports.build import ReportOptions, build_report
    from reports.compare import build_comparison

    where = Home(home, db)
    names = [study_name(each) for each in studies]
    folder = out or where.report("_vs_".join(names))
    wanted = tuple((only or "").replace(",", " ").split())
    database = open_database(where.database_url)
    try:
        places = folder, where.prepared, where.artifacts
        with stderr.status("") as status:
            options = ReportOptions(style, wanted, peek, status.update, workers)
            if len(names) == 1:
                written = build_report(database, names[0], *places, options)
                told = written.summary, f"report: {written.page or folder}"
            else:
                compared = build_comparison(database, names, *places, options)
                told = compared.summary, f"comparison: {compared.page or folder}"
        _say(*told)
    finally:
        database.close()


def gallery(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder that holds reports, at any depth; that of the home folder if absent.",
            show_default=False,
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write an index of all reports below a folder: FOLDER/index.html, sortable, with relative links.

    It lists title, datasets, losses, seeds, the first sentence of the verdict and the headline figure of
    every report, and the comparisons of studies. The folder can be moved or sent as a whole.
    """
    from reports.gallery import build_gallery

    written = build_gallery(folder or home / "reports")
    counted = f"{written.reports} report{'' if written.reports == 1 else 's'}"
    more = f" and {written.comparisons} comparison{'' if written.comparisons == 1 else 's'}"
    _say(counted + (more if written.comparisons else ""), f"index: {written.page}")


def watch(
    study: Annotated[
        str,
        typer.Argument(help="Name of a study in the database, or its YAML file.", show_default=False),
    ],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the database.")] = 30.0,
    style: StyleOption = "elsevier",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; below the home folder if absent.", show_default=False),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Write the report and the page of the progress once, serve nothing."),
    ] = False,
) -> None:
    """Serve the report of a study while it runs, with its progress, to browsers on this machine.

    The report is written again whenever the database has new results, and with test results once the study
    is finished; until then it shows validation results, and no look at the test set is recorded. The page
    tells trials by state, what runs, the time left and failures. Ctrl-C ends it.
    """
    from harness.cli.watch_page.command import WatchOptions, watch_study

    watch_study(study_name(study), Home(home, db), WatchOptions(port, every, style, out, once))


def _say(*texts: str) -> None:
    for text in texts:
        stdout.print(text, highlight=False, markup=False, soft_wrap=True)
