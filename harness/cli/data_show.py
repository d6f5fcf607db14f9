"""``lossbench data show``: a sheet with pictures of a dataset's cases, and a card with its numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from harness.cli.data_options import DatasetArgument, SetOption
from harness.cli.home import DEFAULT_DATA, DataOption
from harness.cli.output import print_json, stdout
from harness.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.data.case import Case, CaseFiles
    from harness.data.description import DatasetDescription
    from harness.data.facts import CaseFacts
    from reports.datasets.card import DatasetCard
    from reports.datasets.contact_sheet import SheetFacts
    from reports.datasets.tiles import ContactSheetCase

_CARDS = (".md", ".json")


def show(
    dataset: DatasetArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Draw cases into this .png, .pdf or .svg file.", show_default=False),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            "--card", help="Write the dataset's numbers to this .md or .json file.", show_default=False
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            help="Draw this case, or CASE:SLICE counted from 1. Repeatable; 12 cases from little to much "
            "foreground if absent.",
            show_default=False,
        ),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Draw this channel, or all; the first if absent.", show_default=False),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    overrides: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Draw cases with their labels, and tell a dataset's numbers; these are printed without --out.

    Files are read as they are: a case that cannot be read is shown with the reason.
    """
    from harness.data.description import describe

    if out is None and (case or channel):
        raise InputError("--case and --channel go with --out FILE; give that too or leave them out")
    _check_targets(out, card)
    source = _Source.find(describe(dataset, Path(), overrides or ()), data)
    chosen = source.named(case) if case else ()
    reading = source.read_all() if not chosen or card or as_json else _Reading((), {})
    if card or as_json or out is None:
        _give_card(source, reading, card, as_json)
    if out is not None:
        _draw(source, reading, chosen, channel, out)
        _say_written(out, as_json)


class _Chosen(NamedTuple):
    """A case to draw, and the slice if one was asked for."""

    files: "CaseFiles"
    slice_number: int | None = None


@dataclass(frozen=True)
class _Reading:
    """Facts of the cases that can be read, and a sentence for each of the others."""

    facts: "tuple[CaseFacts, ...]"
    unreadable: dict[str, str]


@dataclass(frozen=True)
class _Source:
    """A dataset's folder and the cases that should be in it."""

    description: "DatasetDescription"
    folder: Path
    cases: "tuple[CaseFiles, ...]"
    simulated: bool

    @classmethod
    def find(cls, description: "DatasetDescription", data: Path) -> "_Source":
        """List the cases below the data root.

        Raises:
            InputError: if the folder is missing or holds no case.
        """
        from harness.data.layouts import list_cases
        from harness.data.simulate import MARKER

        folder = description.folder_in(data)
        cases = tuple(list_cases(folder, description))
        return cls(description, folder, cases, (folder / MARKER).exists())

    @property
    def name(self) -> str:
        """As in tables."""
        return self.description.name + ("-sim" if self.simulated else "")

    def named(self, wanted: Sequence[str]) -> tuple[_Chosen, ...]:
        """Return the cases that were asked for.

        Raises:
            InputError: if there is no such case, or the slice is no number.
        """
        by_name = {each.case: each for each in self.cases}
        chosen = []
        for text in wanted:
            name, _, number = (text, "", "") if text in by_name else text.rpartition(":")
            name = name or text
            if name not in by_name:
                hint = nearest(name, by_name) or f"; known: {_first(list(by_name))}"
                raise InputError(f"dataset {self.description.name!r} has no case {name!r}{hint}")
            if number and not number.isdigit():
                raise InputError(f"--case {text!r}: slice {number!r} is no number; count slices from 1")
            chosen.append(_Chosen(by_name[name], int(number) if number else None))
        return tuple(chosen)

    def read(self, files: "CaseFiles") -> "tuple[Case | None, str]":
        """Return a case, or None and the reason in words without the dataset's folder."""
        from harness.data.layouts import file_problems
        from harness.data.read import read_case

        problems = file_problems(files, self.folder)
        if problems:
            return None, self._plain(f"case {files.case!r} {problems[0]}")
        try:
            return read_case(files, self.description), ""
        except InputError as error:
            return None, self._plain(str(error).splitlines()[0])

    def _plain(self, sentence: str) -> str:
        return sentence.replace(f"{self.folder}/", "")

    def read_all(self) -> _Reading:
        """Read every case, one at a time."""
        from harness.cli.output import progress_bar
        from harness.data.facts import case_facts

        facts, unreadable = [], {}
        with progress_bar(f"reading {self.description.name}") as progress:
            for number, files in enumerate(self.cases, 1):
                case, reason = self.read(files)
                if case is None:
                    unreadable[files.case] = reason
                else:
                    n_classes = self.description.n_classes
                    facts.append(case_facts(files.case, files.patient, files.site, case, n_classes))
                progress(number, len(self.cases))
        return _Reading(tuple(facts), unreadable)


def _check_targets(out: Path | None, card: Path | None) -> None:
    """Refuse names that cannot be written before anything is read."""
    from reports.figures.write import check_target

    if out is not None:
        check_target(out)
    if card is not None and card.suffix.lower() not in _CARDS:
        raise InputError(f"--card {str(card)!r}: the name must end in one of {', '.join(_CARDS)}")
    for path in (out, card):
        if path is not None and path.is_dir():
            raise InputError(f"{str(path)!r} is a folder; give the name of a file")


def _give_card(source: _Source, reading: _Reading, target: Path | None, as_json: bool) -> None:
    import json

    from reports.datasets.card_text import card_markdown

    made = _card(source, reading)
    if target is not None:
        as_text = target.suffix.lower() == ".md"
        text = card_markdown(made) if as_text else json.dumps(made.to_json(), indent=2) + "\n"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        _say_written(target, as_json)
    if as_json:
        print_json(made.to_json())
    elif target is None:
        typer.echo(card_markdown(made), nl=False)


def _card(source: _Source, reading: _Reading) -> "DatasetCard":
    from harness.data.left_out import left_out
    from reports.datasets.card import DatasetFacts, dataset_card

    description = source.description
    about = DatasetFacts(
        name=source.name,
        title=description.title,
        channels=description.channels,
        classes=tuple(description.classes[index] for index in sorted(description.classes)),
        simulated=source.simulated,
        licence="" if source.simulated else description.licence,
        citation="" if source.simulated else description.citation,
        splits=split_lines(description, reading.facts),
        unreadable=reading.unreadable,
        left_out={each.case or "": each.sentence for each in left_out(source.folder, description)},
    )
    return dataset_card(reading.facts, about)


def split_lines(description: "DatasetDescription", facts: "Sequence[CaseFacts]") -> tuple[str, ...]:
    """Return the sizes of the split in force, in words."""
    from harness.data.splits import folds, group_patients, partition

    patients = group_patients(
        (each.patient, each.case, each.foreground_fraction, each.site) for each in facts
    )
    owner = {each.case: each.patient for each in facts}
    sizes: dict[str, list[int]] = {}
    try:
        for fold in folds(description.chosen_split):
            for side, cases in partition(description.chosen_split, patients, seed=0, fold=fold):
                sizes.setdefault(side, []).append(len({owner[case] for case in cases}))
    except InputError as error:
        return (f"not possible with these cases: {error}",)
    number = len(next(iter(sizes.values())))
    per_fold = f" in each of {number} folds" if number > 1 else ""
    listed = ", ".join(f"{side} {_range(counts)}" for side, counts in sizes.items())
    return (f"{listed} patients{per_fold}",)


def _draw(
    source: _Source, reading: _Reading, chosen: Sequence[_Chosen], channel: str | None, out: Path
) -> None:
    from reports.datasets.contact_sheet import draw_contact_sheet

    how = ""
    if not chosen:
        chosen, how = _evenly(source, reading)
    draw_contact_sheet(_cases(source, chosen), _sheet_facts(source, how), out, channel)


def _evenly(source: _Source, reading: _Reading) -> tuple[tuple[_Chosen, ...], str]:
    """Choose cases from little foreground to much, and show some that cannot be read."""
    from reports.datasets.contact_sheet import SHOWN, choose_evenly

    broken = list(reading.unreadable)[: SHOWN // 3 if reading.facts else SHOWN]
    names = [*choose_evenly(reading.facts, SHOWN - len(broken)), *broken]
    by_name = {each.case: each for each in source.cases}
    how = "Cases are spread evenly from the least foreground to the most."
    if reading.unreadable:
        how += f" {len(reading.unreadable)} of {len(source.cases)} cases cannot be read."
    return tuple(_Chosen(by_name[name]) for name in names), how


def _cases(source: _Source, chosen: Sequence[_Chosen]) -> "Iterator[ContactSheetCase]":
    from reports.datasets.tiles import ContactSheetCase

    for files, slice_number in chosen:
        case, note = source.read(files)
        yield ContactSheetCase(files.case, files.patient, files.site, case, note, slice_number)


def _sheet_facts(source: _Source, chosen: str) -> "SheetFacts":
    from reports.datasets.contact_sheet import SheetFacts

    description = source.description
    return SheetFacts(
        name=source.name,
        title=description.title,
        channels=description.channels,
        classes=description.classes,
        cases=len(source.cases),
        simulated=source.simulated,
        plane=description.slices,
        chosen=chosen,
    )


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"


def _first(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _say_written(path: Path, as_json: bool) -> None:
    if not as_json:
        stdout.print(str(path), highlight=False, markup=False, soft_wrap=True)
