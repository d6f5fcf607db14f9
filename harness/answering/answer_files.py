"""The answer as files: ``decision.json``, ``verdict.md`` and tables."""

import json
from pathlib import Path

import pandas as pd

from harness.statistics.decision import decision
from harness.statistics.study_answer import StudyAnswer
from harness.statistics.wording import settling, verdict, warnings


def write_answer(answer: StudyAnswer, folder: Path) -> None:
    """Write ``decision.json``, ``verdict.md``, ``losses.csv`` and ``pairs.csv``.

    The same answer gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = decision(answer)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    (folder / "decision.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    (folder / "verdict.md").write_text(_verdict(answer), encoding="utf-8", newline="\n")
    for name, key in (("losses", "table"), ("pairs", "pairs")):
        rows = [
            {"dataset": each["dataset"], "metric": cell["metric"], **_flat(row)}
            for each in document["datasets"]
            for cell in each["metrics"]
            for row in cell.get(key, ())
        ]
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


def _verdict(answer: StudyAnswer) -> str:
    open_pairs = [sentence for each in answer.datasets for sentence in settling(each.primary)]
    parts = [" ".join(verdict(answer))]
    if open_pairs:
        parts.append(
            "What would settle the open comparisons:\n\n" + "\n".join(f"* {each}" for each in open_pairs)
        )
    told = warnings(answer)
    if told:
        parts.append("Warnings:\n\n" + "\n".join(f"* {each}" for each in told))
    return "\n\n".join(parts) + "\n"


def _flat(row: dict[str, object]) -> dict[str, object]:
    """Return a row whose mappings and pairs are columns of their own."""
    found: dict[str, object] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= {f"{key}_{inner}": each for inner, each in value.items()}
        elif isinstance(value, list):
            found |= {f"{key}_{end}": each for end, each in zip(("low", "high"), value, strict=False)}
        else:
            found[key] = value
    return found
