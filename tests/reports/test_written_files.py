"""A report leaves nothing outdated beside its own files, and nobody else's files are touched."""

from pathlib import Path

from reports.written_files import listed, replace_outdated


def make(out: Path, *names: str) -> list[Path]:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    return [out / name for name in names]


def names_in(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_what_the_report_before_wrote_and_this_one_did_not_is_deleted(tmp_path: Path) -> None:
    replace_outdated(tmp_path, make(tmp_path, "figures/a_1.pdf", "figures/a_2.pdf", "tables/t1.tex"))
    make(tmp_path, "figures/mine.pdf", "paper.tex")
    replace_outdated(tmp_path, make(tmp_path, "figures/a.pdf", "tables/t1.tex"))
    assert names_in(tmp_path) == {
        "figures/a.pdf",
        "figures/mine.pdf",
        "files.txt",
        "paper.tex",
        "tables/t1.tex",
    }
    assert listed(tmp_path) == {"figures/a.pdf", "tables/t1.tex"}


def test_a_list_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "report"
    make(tmp_path, "victim", "report/report.html", "report/figures/deep/one.pdf")
    (out / "files.txt").write_text(
        "../victim\nreport.html\nfigures/../report.html\n/etc/passwd\nfigures/..\n"
    )
    replace_outdated(out, make(out, "tables/t1.csv"))
    assert (tmp_path / "victim").exists()
    assert (out / "report.html").exists()
