"""The index of a folder of reports."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from harness.errors import InputError
from reports.gallery import build_gallery

TITLE = "<!DOCTYPE html><html><head><title>{} – lossbench</title></head></html>"


def add_report(folder: Path, title: str, verdict: tuple[str, ...] = ("Take Dice.",), seeds: int = 3) -> None:
    """Write what a gallery reads of a report."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(TITLE.format(title), encoding="utf-8")
    rows = [{"loss": loss, "seeds": seeds - place} for place, loss in enumerate(("CE", "Dice"))]
    decision = {
        "metric": "dsc",
        "verdict": list(verdict),
        "warnings": ["one"],
        "datasets": [{"dataset": "heads", "metrics": [{"metric": "dsc", "table": rows}]}],
    }
    (folder / "decision.json").write_text(json.dumps(decision))


def test_every_report_is_listed_with_what_it_says(tmp_path: Path) -> None:
    add_report(tmp_path / "b" / "deep", "Second &amp; last")
    add_report(
        tmp_path / "a & ü",
        "First",
        ("The verdict for HD95 depends on the policy for undefined values (…).", "On heads take CE."),
    )
    written = build_gallery(tmp_path)
    text = written.page.read_text(encoding="utf-8")
    assert (written.reports, written.comparisons) == (2, 0)
    assert re.findall(r'<a href="([^"#]+)">', text) == ["a%20%26%20%C3%BC/report.html", "b/deep/report.html"]
    assert "Second &amp; last" in text
    assert "On heads take CE. It depends on the policy for undefined values." in text
    assert "2 to 3" in text
    assert "heads" in text
    assert str(tmp_path) not in text


def test_the_headline_figure_is_inside_and_small(tmp_path: Path) -> None:
    add_report(tmp_path / "a", "First")
    figures = tmp_path / "a" / "figures"
    figures.mkdir()
    Image.effect_noise((1500, 900), 40).save(figures / "mcb_forest_heads.png")
    text = build_gallery(tmp_path).page.read_text(encoding="utf-8")
    assert "data:image/png;base64," in text
    assert len(text) < 200_000


def test_the_same_reports_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    add_report(tmp_path / "here" / "a", "First")
    add_report(tmp_path / "here" / "b", "Second")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = (build_gallery(tmp_path / name).page.read_bytes() for name in ("here", "there"))
    assert here == there
    assert build_gallery(tmp_path / "here").page.read_bytes() == here


def test_comparisons_are_listed_and_other_pages_are_not(tmp_path: Path) -> None:
    (tmp_path / "compared").mkdir()
    (tmp_path / "compared" / "compare.html").write_text(TITLE.format("one and two"), encoding="utf-8")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "report.html").write_text("<title>Quarterly report</title>")
    written = build_gallery(tmp_path)
    assert (written.reports, written.comparisons) == (0, 1)
    assert "Quarterly" not in written.page.read_text(encoding="utf-8")


def test_a_report_without_a_decision_or_with_a_broken_one_is_listed_and_says_so(tmp_path: Path) -> None:
    add_report(tmp_path / "a", "First")
    (tmp_path / "a" / "decision.json").unlink()
    add_report(tmp_path / "b", "<script>alert(1)</script>")
    (tmp_path / "b" / "decision.json").write_text('{"datasets": 3}')
    text = build_gallery(tmp_path).page.read_text(encoding="utf-8")
    assert "No answer: the study had no scores that allow one." in text
    assert "decision.json beside the page cannot be read." in text
    assert "<script>alert" not in text


def test_a_folder_without_reports_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no report below"):
        build_gallery(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        build_gallery(tmp_path / "nowhere")
    assert not (tmp_path / "index.html").exists()
