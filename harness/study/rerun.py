"""The study file that repeats one trial."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from harness.errors import InputError
from harness.losses import LossSpec
from harness.strict_yaml import read, validate
from harness.study.plan import PlannedTrial, StudyDataset, fixed_trials
from harness.study.spec import DatasetEntry, Study
from harness.study.trial import KEY_VERSION

_SHOWN = 12
_FLOW_WIDTH = 90
_NEVER_FOLDED = 1_000_000
_SIMULATED = "-sim"


@dataclass(frozen=True)
class RecordedTrial:
    """A trial as a database knows it.

    Attributes:
        key: Its key.
        canonical: The fields that the key hashes.
        label: Of the loss in tables.
        dataset: Name of the dataset in tables.
        fingerprint: Of the prepared dataset.
        study: Name of a study that has it; may be empty.
        text: Of the study that made it; may be empty.
        commit: Of the code that made it, or its version; may be empty.
        numerics: Class of numerics; may be empty.
    """

    key: str
    canonical: Mapping[str, Any]
    label: str
    dataset: str
    fingerprint: str
    study: str
    text: Mapping[str, Any]
    commit: str
    numerics: str


@dataclass(frozen=True)
class Rerun:
    """The file that repeats a trial.

    Attributes:
        text: Of the file.
        key: Of the trial that it trains.
        difference: Why that is another key than the recorded one, as a sentence; None if it is not.
    """

    text: str
    key: str
    difference: str | None


def rerun(trial: RecordedTrial) -> Rerun:
    """Return the study file that trains one trial again, all its settings spelled out.

    Raises:
        InputError: if its dataset or its settings cannot be told from what is recorded.
    """
    where = f"trial {trial.key[:_SHOWN]!r}"
    entry = _dataset_entry(trial, where)
    try:
        body, planned = _closest(trial, entry)
    except (InputError, ValidationError, KeyError, TypeError) as error:
        lines = str(error).splitlines()
        made_by = f"; check out {trial.commit}, which made it" if trial.commit else ""
        raise InputError(
            f"{where}: this program cannot read what it trained ({lines[0] if lines else error!r}){made_by}"
        ) from None
    difference = _difference(trial, planned)
    return Rerun(_header(trial, entry, difference) + body, planned.trial.key, difference)


def _closest(trial: RecordedTrial, entry: dict[str, Any]) -> tuple[str, PlannedTrial]:
    """Return the file's text and its trial: without keys that are null, unless these move the trial's key."""
    for keep_null in (False, True):
        document = _document(trial, entry)
        body = _as_yaml(document if keep_null else _without_null(document))
        planned = _planned(trial, body)
        if planned.trial.key == trial.key:
            return body, planned
    body = _as_yaml(_without_null(document))
    return body, _planned(trial, body)


def _document(trial: RecordedTrial, entry: dict[str, Any]) -> dict[str, Any]:
    fields, text = trial.canonical, trial.text
    seed, split = int(fields["seed"]), fields["split"]
    only = {"seeds": [seed]} | ({"folds": [int(fields["fold"])]} if split["kind"] == "kfold" else {})
    evaluation = "validation" if split["kind"] == "fixed" else text.get("evaluation", "test")
    of_study = f" of study {trial.study}" if trial.study else ""
    return {
        "study": f"rerun-{trial.key[:_SHOWN]}",
        "title": f"Repeats trial {trial.key[:_SHOWN]}{of_study}",
        "datasets": [entry | {"split": split}],
        "seeds": max(seed + 1, int(text.get("seeds", 1))),
        "only": only,
        "evaluation": evaluation,
        "protocol": fields["protocol"],
        "model": fields["model"],
        "losses": [{"label": trial.label, **_loss(LossSpec.model_validate(fields["loss"]))}],
    }


def _loss(spec: LossSpec) -> dict[str, Any]:
    """Return ``loss`` and ``alpha`` of a study file for a canonical loss."""
    terms = list(spec.terms)
    if spec.alpha is None or spec.on is None:
        return {"loss": [_term(term) for term in terms]}
    moved = terms.pop(spec.on)
    alpha = spec.alpha.model_dump(mode="json")
    if moved.name not in {term.name for term in terms}:
        alpha["on"] = moved.name
    # Of two terms of one name, alpha moves the one that is written last.
    return {"loss": [_term(term) for term in (*terms, moved)], "alpha": alpha}


def _term(term: Any) -> dict[str, Any]:
    weight = {} if term.weight == 1 else {"weight": term.weight}
    return {"name": term.name, **weight, **term.parameters}


def _dataset_entry(trial: RecordedTrial, where: str) -> dict[str, Any]:
    """Return the entry of the study's text that the trial belongs to, a manifest without its folder."""
    entries = [
        {"dataset": entry} if isinstance(entry, str) else dict(entry)
        for entry in trial.text.get("datasets", ())
    ]
    known = [entry for entry in entries if not _is_manifest(entry) and _name(entry) == trial.dataset]
    manifests = [entry for entry in entries if _is_manifest(entry)]
    likely = [entry for entry in manifests if PurePath(entry["dataset"]).stem == trial.dataset]
    found = known or likely or manifests
    if not entries and not trial.dataset.endswith(_SIMULATED):
        found = [{"dataset": trial.dataset}]
    if len(found) != 1:
        raise InputError(
            f"{where}: the database does not tell which entry of its study's datasets is {trial.dataset!r}; "
            "copy the study's own file and add 'only: {seeds: [...], folds: [...]}'"
        )
    entry: dict[str, Any] = {key: value for key, value in found[0].items() if value is not None}
    entry["dataset"] = PurePath(entry["dataset"]).name
    labels: Any = entry.get("labels")
    if labels:
        entry["labels"] = {int(code): target for code, target in labels.items()}
    return entry


def _is_manifest(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a path; what its dataset is called in tables stands in that file."""
    return PurePath(entry["dataset"]).suffix in {".yaml", ".yml"}


def _name(entry: Mapping[str, Any]) -> str:
    """Return the name in tables of a dataset of the catalogue."""
    return str(entry["dataset"]) + (_SIMULATED if entry.get("simulate") else "")


def _planned(trial: RecordedTrial, body: str) -> PlannedTrial:
    """Return the only trial that the file trains."""
    study = validate(Study, read(body, "rerun.yaml"), "rerun.yaml")
    (entry,) = study.dataset_entries
    (planned,) = fixed_trials(study, [StudyDataset(trial.dataset, trial.fingerprint, _split(entry))])
    return planned


def _split(entry: DatasetEntry) -> Any:
    assert entry.split is not None
    assert not isinstance(entry.split, str)
    return entry.split


def _difference(trial: RecordedTrial, planned: PlannedTrial) -> str | None:
    """Return why the file's trial has another key."""
    if planned.trial.key == trial.key:
        return None
    now, then = planned.trial.canonical(), trial.canonical
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    key = f"the trial of this file has the key {planned.trial.key[:_SHOWN]}, not {trial.key[:_SHOWN]}"
    if then.get("purpose") == "search":
        return f"{key}: that one was tried in a search, this one is a trial of a study and is tested"
    if then.get("key_version") != KEY_VERSION:
        return f"{key}: this program makes keys of version {KEY_VERSION}, not {then.get('key_version')}"
    if not changed:
        return f"{key}: the recorded key is not the sha256 of what the database has of the trial"
    return f"{key}: this program means something else, or has more settings, in {', '.join(changed)}"


def _header(trial: RecordedTrial, entry: Mapping[str, Any], difference: str | None) -> str:
    made_by = f", made by {trial.commit}" if trial.commit else ""
    lines = [f"Repeats trial {trial.key}", f"of study {trial.study or '(none)'}{made_by}."]
    if trial.numerics:
        lines.append(f"Equal to the bit in its numerics class only: {trial.numerics}")
    if _is_manifest(entry):
        lines.append(f"Beside this file it needs the manifest {entry['dataset']}.")
    lines += [
        f"Prepared data must have the fingerprint {trial.fingerprint}:",
        "with other data, the trial gets another key.",
    ]
    if difference is not None:
        lines.append(f"Note: {difference}.")
    lines += [
        "",
        "Train it in a home of its own, then see whether all numbers are equal:",
        "  lossbench run THIS.yaml --data DATA --home rerun-home",
        "  lossbench db merge rerun-home/results.db --dry-run",
    ]
    return "".join(f"# {_on_one_line(line)}".rstrip() + "\n" for line in lines)


def _on_one_line(text: str) -> str:
    """Return a text that ends no comment: names come from a database."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _without_null(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _without_null(value) for key, value in node.items() if value is not None}
    if isinstance(node, list | tuple):
        return [_without_null(value) for value in node]
    return node


def _as_yaml(document: Mapping[str, Any]) -> str:
    writer = YAML(typ="rt")
    writer.width = _NEVER_FOLDED
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(_styled(document), stream)
    return stream.getvalue()


def _styled(node: Any) -> Any:
    """Return a nest for the writer: what is short and holds no further nest goes on one line."""
    if isinstance(node, Mapping):
        styled: Any = CommentedMap({key: _styled(value) for key, value in node.items()})
        inner = list(node.values())
    elif isinstance(node, list | tuple):
        styled = CommentedSeq([_styled(value) for value in node])
        inner = list(node)
    else:
        return node
    nested = any(isinstance(value, Mapping | list | tuple) and value for value in inner)
    if not nested and len(json.dumps(node)) <= _FLOW_WIDTH:
        styled.fa.set_flow_style()
    return styled
