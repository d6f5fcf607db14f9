"""Entry point of ``lossbench``."""

import logging
import sys

import typer
from rich.logging import RichHandler
from rich.markup import escape

from harness import __version__
from harness.cli import (
    answer_commands,
    bench_commands,
    catalogue_commands,
    data_commands,
    db_commands,
    doctor_commands,
    evaluate_commands,
    loss_commands,
    plan_commands,
    predict_commands,
    published_commands,
    report_commands,
    score_commands,
    study_commands,
    tune_commands,
    watch_commands,
)
from harness.cli.output import stderr
from harness.errors import InputError

BAD_INPUT, PAUSED, INTERRUPTED = 2, 75, 130

app = typer.Typer(
    name="lossbench",
    help="Which segmentation loss should we use? Paired, tuned and traceable loss comparisons.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
plan_commands.add_to(app)
tune_commands.add_to(app)
study_commands.add_to(app)
report_commands.add_to(app)
answer_commands.add_to(app)
watch_commands.add_to(app)
loss_commands.add_to(app)
catalogue_commands.add_to(app)
published_commands.add_to(app)
bench_commands.add_to(app)
score_commands.add_to(app)
evaluate_commands.add_to(app)
predict_commands.add_to(app)
doctor_commands.add_to(app)
app.add_typer(data_commands.app, name="data", help="Look at, check, prepare and simulate datasets.")
app.add_typer(db_commands.app, name="db", help="Look after the results database.")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lossbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Configure logging: messages go to stderr."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(console=stderr, show_time=False, show_path=False)],
    )
    for noisy in ("alembic", "matplotlib", "optuna", "ray", "PIL", "fontTools", "nibabel"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def main() -> None:
    """Run the command line; bad input is one sentence and exit code 2."""
    try:
        app()
    except InputError as error:
        from harness.store.privacy import without_secrets  # what a plug-in says may hold one

        sentence = escape(without_secrets(str(error)))
        stderr.print(f"[bold red]error:[/] {sentence}", highlight=False, soft_wrap=True)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        stderr.print("interrupted")
        sys.exit(INTERRUPTED)
