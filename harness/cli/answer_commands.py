"""``answer``: which loss to use, and ``error-rates``: how often such an answer is wrong."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, stdout
from harness.cli.study_options import JsonOption, study_name
from harness.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(answer)
    app.command(name="error-rates")(error_rates)


def answer(
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study in the database, or its YAML file.", show_default=False),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Anyone's scores instead of a study: columns loss, seed, case, value, and where needed "
            "dataset, metric, patient, class, collapsed, seconds.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset. Repeatable.", show_default=False)
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Instead of the study's primary metric (dsc).", show_default=False),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="With --csv: loss that all others are compared with. Repeatable.", show_default=False
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="With --csv: difference that is negligible, 0.01 if absent; a factor for distances, 1.1.",
            show_default=False,
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for decision.json, verdict.md and CSV tables.", show_default=False),
    ] = None,
    peek: Annotated[
        bool,
        typer.Option(
            "--peek", help="Use test results of an unfinished study; recorded as a look at the test set."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which loss to use, how sure that is over patients and seeds, and what would settle the rest."""
    from harness.cli.answer_view import print_answer
    from harness.cli.answering import answer_of_file, answer_of_study
    from harness.statistics.decision import decision

    if (study is None) == (csv is None):
        raise InputError("give the name of a study, or --csv FILE with scores (one of them)")
    if csv is None and (reference or margin is not None):
        raise InputError(
            "--reference and --margin are for --csv; a study has them under 'analysis' in its file"
        )
    if csv is not None:
        found = answer_of_file(csv, metric, dataset, reference or (), margin)
    else:
        found = answer_of_study(study_name(str(study)), Home(home, db), metric, dataset, peek)
    if out is not None:
        from harness.answering.answer_files import write_answer

        write_answer(found, out)
    if as_json:
        print_json(decision(found))
        return
    print_answer(found)
    if out is not None:
        stdout.print(f"written: {out}", highlight=False, markup=False, soft_wrap=True)


def error_rates(
    check: Annotated[
        list[str] | None,
        typer.Option(help="Only this: pair, family, best or stages. Repeatable.", show_default=False),
    ] = None,
    studies: Annotated[int, typer.Option(min=10, help="Simulated studies of each kind.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Simulate studies with known truth, and count how often 'answer' would claim what is not true."""
    from harness.cli.answer_view import print_rates
    from harness.cli.answering import rates_of

    found = rates_of(check, studies, seed)
    if as_json:
        print_json([vars(each) for each in found])
    else:
        print_rates(found)
