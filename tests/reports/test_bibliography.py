"""BibTeX of what a study used: valid, complete, and the same every time."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness import __version__
from harness.data.description import catalogue
from harness.losses import ALIASES, ALPHA_SCHEDULES, LOSSES
from harness.strict_yaml import read
from reports.bibliography import SOFTWARE, bibtex, cited_keys, known_entries
from reports.results import ListedLoss, StudyResults

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN_WORKS = {"Bouteille et al., ISBI 2026"}
"""Printed in their own words: their title is not known here."""


def keys_of(text: str) -> list[str]:
    return re.findall(r"^@\w+\{([^,\s]+),$", text, re.MULTILINE)


def with_loss(results: StudyResults, *expressions: str) -> StudyResults:
    losses = tuple(ListedLoss(each, "compound", each) for each in expressions)
    return replace(results, losses=losses)


def assert_balanced(text: str) -> None:
    """Check that braces match, and that none closes before it was opened."""
    depth = 0
    for character in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


def test_a_study_cites_its_losses_network_and_software(results: StudyResults) -> None:
    keys = keys_of(bibtex(results))
    assert {"drozdzal2016", "sudre2017", "kervadec2019", "lin2017", "isensee2021", SOFTWARE} <= set(keys)
    assert "salehi2017" not in keys  # Tversky is not in the study


def test_keys_are_sorted_and_stand_once(results: StudyResults) -> None:
    keys = keys_of(bibtex(results))
    assert keys == sorted(set(keys))


def test_the_same_results_give_the_same_bytes(results: StudyResults) -> None:
    assert bibtex(results) == bibtex(replace(results, losses=results.losses[::-1]))


def test_braces_match_and_everything_is_ascii(results: StudyResults) -> None:
    for text in (bibtex(results), *known_entries().values()):
        assert_balanced(text)
        assert text.isascii()


def test_datasets_of_the_catalogue_are_cited_and_simulated_ones_are_not(results: StudyResults) -> None:
    real = replace(results, datasets=("wmh2017", "msd_liver"))
    assert {"kuijf2019", "antonelli2022", "simpson2019"} <= set(keys_of(bibtex(real)))
    simulated = replace(results, datasets=("wmh2017-sim",))
    assert "kuijf2019" not in keys_of(bibtex(simulated))


def test_a_citation_without_a_known_work_is_printed_in_its_own_words(results: StudyResults) -> None:
    text = bibtex(replace(results, datasets=("tabriz_ms_wmh",)))
    assert "@misc{tabriz_ms_wmh," in text
    assert "doi 10.6084/m9.figshare.30393475" in text


def test_the_network_is_the_one_that_was_trained(results: StudyResults) -> None:
    def trained(name: str) -> list[str]:
        document = replace(results.document, resolved={**results.document.resolved, "model": {"name": name}})
        return keys_of(bibtex(with_loss(replace(results, document=document), "dice")))

    assert "ronneberger2015" in trained("unet2d")
    assert "kervadec2019" not in trained("unet2d")
    assert "kervadec2019" in trained("kervadec")
    assert "ronneberger2015" not in trained("kervadec")


def test_alpha_schedules_are_cited(results: StudyResults) -> None:
    entry = {"label": "Dice + CE", "loss": "dice + ce", "alpha": {"schedule": "linear"}}
    document = replace(results.document, resolved={**results.document.resolved, "losses": [entry]})
    plain = with_loss(results, "dice + ce")
    assert "celaya2023" not in keys_of(bibtex(plain))
    assert "celaya2023" in keys_of(bibtex(replace(plain, document=document)))


def test_optuna_and_the_sampler_are_cited_where_losses_were_tuned(
    results: StudyResults, made_up: ModuleType
) -> None:
    assert not [key for key in keys_of(bibtex(results)) if "optuna" in key]
    tuned = replace(results, searches=(made_up.made_up_search("Dice", "CE"),))
    keys = keys_of(bibtex(tuned))
    assert {"akiba2019optuna", "bergstra2012random"} <= set(keys)
    assert "li2018hyperband" not in keys


def test_the_software_is_cited_as_its_citation_file_says() -> None:
    cff = read((ROOT / "CITATION.cff").read_text(encoding="utf-8"), "CITATION.cff")
    entry = known_entries()[SOFTWARE]
    assert f"title = {{{cff['title']}}}".lower() in entry.lower()
    assert f"Version {cff['version']}" in entry
    assert cff["version"] == __version__
    assert f"year = {{{cff['date-released']:%Y}}}" in entry
    assert all(author["name"] in entry for author in cff["authors"])


@pytest.mark.parametrize(
    "reference",
    sorted(
        {loss.reference for loss in LOSSES.values()}
        | {alias.reference for alias in ALIASES.values()}
        | {schedule.reference for schedule in ALPHA_SCHEDULES.values() if cited_keys(schedule.reference)}
        | {each.citation for each in catalogue().values() if cited_keys(each.citation)}
    ),
)
def test_every_work_that_the_project_names_has_an_entry(reference: str) -> None:
    if reference not in UNKNOWN_WORKS:
        assert set(cited_keys(reference)) <= set(known_entries())
        assert cited_keys(reference)


def test_a_loss_of_somebody_else_has_its_own_words(
    results: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Theirs:
        reference = "Lin et al. & sons, a 100% other paper_2017"

    monkeypatch.setitem(LOSSES._entries, "theirs", Theirs)  # type: ignore[arg-type]
    text = bibtex(with_loss(results, "theirs"))
    assert "@misc{theirs," in text
    assert r"Lin et al. \& sons, a 100\% other paper\_2017" in text
    assert "lin2017" not in keys_of(text)
    assert_balanced(text)


def test_a_loss_that_is_not_installed_is_left_out(results: StudyResults) -> None:
    keys = keys_of(bibtex(with_loss(results, "their_package.losses:Loss(power=2)")))
    assert not set(keys) & {"lin2017", "drozdzal2016"}


@pytest.mark.skipif(not shutil.which("bibtex"), reason="no bibtex here")
def test_bibtex_takes_every_entry_without_a_complaint(results: StudyResults, tmp_path: Path) -> None:
    (tmp_path / "all.bib").write_text("\n\n".join(known_entries().values()), encoding="ascii")
    (tmp_path / "study.bib").write_text(
        bibtex(replace(with_loss(results, "cc"), datasets=("tabriz_ms_wmh",))), encoding="ascii"
    )
    for name in ("all", "study"):
        commands = f"\\citation{{*}}\n\\bibdata{{{name}}}\n\\bibstyle{{plain}}\n"
        (tmp_path / f"{name}.aux").write_text(commands)
        done = subprocess.run(["bibtex", name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "warning" not in done.stdout.lower(), done.stdout


@pytest.mark.skipif(
    not (shutil.which("bibtex") and shutil.which("pdflatex")), reason="no bibtex or pdflatex here"
)
def test_a_paper_with_all_entries_compiles(tmp_path: Path) -> None:
    (tmp_path / "all.bib").write_text("\n\n".join(known_entries().values()), encoding="ascii")
    body = "x\\nocite{*}\\bibliographystyle{plain}\\bibliography{all}"
    paper = f"\\documentclass{{article}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "paper.tex").write_text(paper)
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    for command in (latex, ["bibtex", "paper"], latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
