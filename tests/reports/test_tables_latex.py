"""Whether the LaTeX of every table compiles, whatever losses are called and however many there are."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from reports.results import StudyResults, load_results
from reports.tables import Cell, Column, Row, Table, WordTable, as_latex, tables_in_order
from reports.tables.save import save_tables
from reports.tables.write import words_as_latex

HOSTILE = (
    "a&b_<c>|$x$",
    "100% \\loss{}#~^ [*]",
    "損失関数 ą «Dice» αβΩ — ‘x’",
    "ü" * 60,
    "-- \u202eright to left\u202c",
)

_NEEDED = ("siunitx", "booktabs", "longtable", "rotating", "pdflscape", "array")


def _lacking() -> str:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return "pdflatex is not installed"
    missing = [
        name
        for name in _NEEDED
        if not subprocess.run(
            ["kpsewhich", f"{name}.sty"], capture_output=True, text=True, check=False
        ).stdout.strip()
    ]
    return f"LaTeX packages are not installed: {', '.join(missing)}" if missing else ""


@pytest.fixture(scope="session")
def latex_of_a_hostile_study(
    wide_study: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Path]]:
    """LaTeX files of all tables of a study of which every label is hostile."""
    root = tmp_path_factory.mktemp("hostile")
    wide = wide_study.Wide(HOSTILE, datasets=2, seeds=3, patients=8, collapsed=HOSTILE[-1:])
    database = wide_study.make_wide_study(root, wide)
    results = load_results(database, wide_study.STUDY, root, root, peek=False)
    saved, _ = save_tables(results, root / "tables", tables_in_order())
    yield [each.paths["tex"] for each in saved]
    database.close()


def long_table() -> Table:
    """Sixty losses of which some are marked, wider than a page."""
    columns = tuple(Column(f"set{place // 3}", title) for place, title in enumerate(["DSC ↑", "HD", "X"] * 4))
    rows = tuple(
        Row(
            "region" if number < 30 else "compound",
            f"Loss {number}",
            tuple(
                Cell(
                    "0.812 (0.010)",
                    "best" if number == 3 else "second" if number == 4 else "",
                    "",
                    0.812,
                    "†★" if number < 9 else "",
                    "0.812",
                    "0.010",
                )
                for _ in columns
            ),
        )
        for number in range(60)
    )
    return Table("long", "A long table.", columns, rows, ("A note.",), pd.DataFrame())


def long_words() -> WordTable:
    """A hundred rows of numbers and words, wider than a page that stands."""
    rows = tuple(
        (f"Loss {number}", "−0.012", "<0.001", "0.81 †", "–", *["−0.012 to +0.034"] * 6, "many words " * 4)
        for number in range(100)
    )
    titles = tuple(f"Column {number}" for number in range(12))
    numeric = (False, *[True] * 10, False)
    return WordTable("words", "A long table of words.", titles, rows, ("A note.",), pd.DataFrame(), numeric)


def compiled(folder: Path, inside: list[str]) -> str:
    """Compile a document and return its log."""
    document = [
        r"\documentclass{article}",
        r"\usepackage[a4paper,margin=25mm]{geometry}",
        rf"\usepackage{{{','.join(_NEEDED)}}}",
        r"\begin{document}",
        *(rf"{text}\clearpage" for text in inside),
        r"\end{document}",
    ]
    (folder / "all.tex").write_text("\n".join(document), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    return (folder / "all.log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.skipif(bool(_lacking()), reason=_lacking() or "all there")
def test_every_table_compiles_and_fits_the_page(
    latex_of_a_hostile_study: list[Path],
    results: StudyResults,
    made_up: ModuleType,
    synthetic: ModuleType,
    tmp_path: Path,
) -> None:
    search = made_up.made_up_search(f"{synthetic.HOSTILE} (tuned)", synthetic.HOSTILE, level=0.72)
    tuned = replace(results, searches=(search,))
    saved, _ = save_tables(tuned, tmp_path / "tables", tables_in_order())
    files = [*latex_of_a_hostile_study, *(each.paths["tex"] for each in saved)]
    assert len(files) > 20
    assert "t4_tuning_budgets.tex" in {path.name for path in files}
    texts = [path.read_text(encoding="utf-8") for path in files]
    log = compiled(tmp_path, [*texts, as_latex(long_table()), words_as_latex(long_words())])
    assert re.findall(r"^!.*", log, re.MULTILINE) == []
    assert "Output written on all.pdf" in log
    assert re.findall(r"Overfull \\hbox.*", log) == []


def test_packages_are_named_above_a_table(latex_of_a_hostile_study: list[Path]) -> None:
    for path in latex_of_a_hostile_study:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"% needs \\usepackage\{(.*)\}", text)[0].split(","))
        environments = set(re.findall(r"\\begin\{(longtable|landscape|sidewaystable)\}", text.split("%")[1]))
        assert {"booktabs", "siunitx"} <= named
        assert ("longtable" in environments) <= ("longtable" in named)
        assert ("sidewaystable" in environments) <= ("rotating" in named)


def test_numbers_stand_in_columns_that_are_aligned_at_the_point() -> None:
    text = words_as_latex(long_words())
    assert "S[table-format=+0.3]" not in text
    assert "S[table-format=+1.3]" in text
    assert r"S[table-format=1.3,table-space-text-pre={$<$}]" in text
    assert r"0.81 {$\dagger$}" in text
    assert "& -0.012 & {$<$} 0.001 &" in text


def test_a_table_of_scores_wider_than_a_page_becomes_several() -> None:
    text = as_latex(long_table())
    assert text.count(r"\begin{longtable}") == text.count("Part ") > 1
    assert text.count("A note.") == 1
    assert all(f"set{number}" in text for number in range(4))


def test_a_letter_that_pdflatex_lacks_is_named_by_its_number() -> None:
    table = WordTable("w", "損", ("Loss",), (("損",),), (), pd.DataFrame())
    assert "[U+640D]" in words_as_latex(table)
    assert "損" not in words_as_latex(table)
