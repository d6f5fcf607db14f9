"""``lossbench losses``: the list, explanations, and what it refuses."""

import io
import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli.loss_docs import entries
from harness.cli.loss_docs.entries import all_entries, describe_loss
from harness.cli.loss_docs.terminal import PARTNER, explanation, overview, sum_explained
from harness.cli.main import app
from harness.errors import InputError
from harness.losses import ALIASES, ALPHA_SCHEDULES, LOSSES, parse_loss, plugins
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from tests.conftest import lossbench

THEIRS = '''
from typing import Literal

from torch import nn

from harness.losses import Loss


class Undocumented(nn.Module):
    name, family, needs, reference = "undocumented", "lesion", frozenset(), "nobody"

    def __init__(self, scale, offset: float = 0.5):
        super().__init__()


class Described(Loss):
    """Their loss.

    ::

        L = x

        y = 2

    Some text, with ``code`` and a :class:`~their.module.Thing`.

    Reference: Someone, 2030. Elsewhere: it is nowhere else.

    Args:
        mode: How, in words
            that go on.
        sizes: Some sizes.
    """

    name, family, reference = "described", "region", "Someone, 2030"

    def __init__(self, *, mode: Literal["a", "b"] = "b", sizes: tuple[float, ...] | None = None):
        super().__init__()

    def value(self, batch):
        return batch.z.sum()
'''


@pytest.fixture
def their_losses(tmp_path, monkeypatch):
    """A module of somebody else, importable as ``their_described_losses``."""
    (tmp_path / "their_described_losses.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "their_described_losses"
    sys.modules.pop("their_described_losses", None)


def printed(renderable, width):
    console = Console(width=width, file=io.StringIO())
    console.print(renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def run(*arguments):
    return CliRunner().invoke(app, ["losses", *map(str, arguments)])


def refusal(*arguments):
    """Return the sentence of the InputError that a call ends with."""
    error = run(*arguments).exception
    assert isinstance(error, InputError), error
    return str(error)


def test_the_list_is_complete_as_json():
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert set(rows) >= {*LOSSES, *ALIASES}
    for name, loss in LOSSES.items():
        row = rows[name]
        assert row["family"] == loss.family
        assert row["needs"] == sorted(loss.needs)
        assert row["reference"] == loss.reference
        defaults = {key: facts["default"] for key, facts in row["parameters"].items() if "default" in facts}
        assert defaults == loss.defaults()
    for name, alias in ALIASES.items():
        assert rows[name]["kind"] == "alias"
        assert rows[name]["expression"] == alias.expression
        assert rows[name]["needs"] == sorted(parse_loss(alias.expression).needs)
    assert rows["boundary"]["partner"] is True
    assert rows["tversky"]["relations"][0]["other"] == "dice"


def test_families_stand_in_the_usual_order_and_aliases_after_losses():
    families = [entry.family for entry in all_entries()]
    assert list(dict.fromkeys(families)) == ["distribution", "region", "boundary", "compound", "lesion"]
    kinds = [entry.kind for entry in all_entries() if entry.family == "compound"]
    assert kinds == sorted(kinds, key=lambda kind: kind == "alias")


@pytest.mark.parametrize("width", [80, 120, 160])
def test_the_list_is_readable_at_every_width(width):
    entries = all_entries()
    lines = printed(overview(entries), width)
    assert max(map(len, lines)) <= width
    text = [line.strip() for line in lines]
    for entry in entries:
        (row,) = [line for line in lines if line.startswith(f"  {entry.name} ")]
        assert len(row.split()) > 2  # the name is whole and something stands beside it
    assert "= gdl + boundary" in " ".join(text)
    assert sum(PARTNER in line for line in text) == sum(loss.partner for loss in LOSSES.values())
    # A table cell that is shredded has line after line of a letter or two.
    assert sum(0 < len(line) < 5 for line in text) <= 3


@pytest.mark.parametrize("name", [*LOSSES, *ALIASES])
def test_every_loss_is_explained_at_80_columns(name):
    entry = describe_loss(name)
    lines = printed(explanation(entry), 80)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert lines[0].startswith(f"{name}  ({entry.family}")
    for parameter in entry.parameters:
        assert f" {parameter.name} {parameter.type}; default {parameter.default_text} " in text
        assert parameter.description
    shown = f"L = {entry.expression}" if entry.kind == "alias" else entry.doc.formula
    assert " ".join(shown.split()) in text
    assert ":class:" not in text
    assert "``" not in text


@pytest.mark.parametrize("name", [*LOSSES, *ALIASES])
def test_every_example_is_an_item_of_a_study(name):
    entry = describe_loss(name)
    text = f"study: example\ndatasets: [wmh2017]\nlosses:\n{entry.example}\n"
    (item,) = validate(Study, read(text, "example"), "example").losses
    assert not item.spec().partner
    whole = {term.name for term in parse_loss(name).terms}
    assert whole <= {term.name for term in item.spec().terms}


def test_search_spaces_stand_beside_the_defaults():
    facts = json.loads(run("asymmetric_similarity", "--json").stdout)["parameters"]
    assert facts["beta"]["space"] == {"low": 0.5, "high": 4.0, "log": True}
    assert "space" not in facts["eps"]
    weighting = json.loads(run("gdl", "--json").stdout)["parameters"]["weighting"]
    assert weighting["space"] == {"values": ["inverse_square", "inverse", "uniform"]}
    text = " ".join(" ".join(printed(explanation(describe_loss("asymmetric_similarity")), 80)).split())
    assert "beta number; default 1.5 searched: 0.5 to 4, logarithmic" in text
    assert text.count("searched:") == 1


def test_the_list_ends_with_the_alpha_schedules_and_their_search_spaces():
    lines = printed(overview(all_entries()), 120)
    text = " ".join(" ".join(lines[lines.index("alpha schedules") :]).split())
    for name, schedule in ALPHA_SCHEDULES.items():
        assert f" {name} " in text
        assert all(f"searched: {key} {space}" in text for key, space in schedule.spaces.items())


def test_relations_are_told_in_words():
    assert describe_loss("tversky").relations_in_words[0] == "equals dice with fp=0.5, fn=0.5, eps=5e-06"
    assert describe_loss("combo").relations_in_words[1] == "contains ce"
    factor = describe_loss("unified_focal").relations_in_words[0]
    assert factor == "equals 0.5*ce with w_ce=1, delta=0.5, gamma=0"
    other = describe_loss("asymmetric_similarity").relations_in_words[0]
    assert other == "equals tversky(fp=0.307692, fn=0.692308) with beta=1.5"


def test_a_loss_knows_the_aliases_that_contain_it():
    assert describe_loss("topk_ce").used_in == ("dice_topk",)
    assert "dice_ce" in describe_loss("ce").used_in


def test_descriptions_come_from_the_base_class_that_has_them():
    described = {each.name: each.description for each in describe_loss("mcc").parameters}
    assert described["absent"].startswith("What a class without a labelled pixel")
    pointed = {each.name: each.description for each in describe_loss("penalty_gdl").parameters}
    assert pointed["weighting"].startswith("`inverse_square` (published)")


def test_an_import_path_is_explained(their_losses):
    facts = describe_loss(f"{their_losses}:Described").to_json()
    assert (facts["kind"], facts["family"]) == ("import path", "region")
    assert facts["formula"] == "L = x\n\ny = 2"
    assert facts["text"] == ["Some text, with `code` and a `Thing`."]
    assert facts["elsewhere"] == "It is nowhere else."
    assert facts["parameters"]["mode"] == {
        "type": "one of a, b",
        "choices": ["a", "b"],
        "default": "b",
        "description": "How, in words that go on.",
    }
    assert facts["parameters"]["sizes"]["type"] == "list of numbers or null"


def test_a_class_without_documentation_is_explained_all_the_same(their_losses):
    entry = describe_loss(f"{their_losses}:Undocumented")
    assert [(each.name, each.default_text) for each in entry.parameters] == [
        ("scale", "required"),
        ("offset", "0.5"),
    ]
    assert f"{their_losses}:Undocumented" in "\n".join(printed(explanation(entry), 80))


def test_an_entry_point_is_listed_as_one(their_losses, monkeypatch):
    announced = [EntryPoint("theirs", f"{their_losses}:Described", plugins.GROUP)]
    for module in (plugins, entries):
        monkeypatch.setattr(module, "entry_points", lambda group: announced)
    monkeypatch.setattr(LOSSES, "_entries", dict(LOSSES._entries))  # put back afterwards
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert rows["theirs"]["kind"] == "entry point"
    assert "entry point" in run("theirs").stdout
    assert "### theirs" not in run("--markdown").stdout


def test_a_sum_is_explained_in_canonical_form():
    facts = json.loads(run("0.2*ce + 0.8*dice", "--json").stdout)
    assert facts["expression"] == "0.8*dice + 0.2*ce"
    assert [(term["weight"], term["name"]) for term in facts["terms"]] == [(0.2, "ce"), (0.8, "dice")]
    assert facts["needs"] == []
    text = " ".join(" ".join(printed(sum_explained(parse_loss("dice + 0.1*boundary")), 80)).split())
    assert "distance_maps" in text
    assert PARTNER in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("dise",), "unknown loss 'dise'; did you mean 'dice'?"),
        (("dice + focl",), "unknown loss 'focl'; did you mean 'focal'?"),
        (("no_such.module:Loss",), "cannot import 'no_such.module'"),
        (("dice", "--markdown"), "NAME and --markdown exclude each other"),
        (("--map", "a.png", "--schedules", "b.png"), "--schedules and --map exclude each other"),
        (("--markdown", "--json"), "--json prints the list or explains NAME"),
        (("--epochs", "9"), "--epochs goes with --schedules OUT"),
        (("--case", "p1"), "--case goes with --anatomy OUT"),
        (("--map", "family.gif"), "must end in one of .png, .pdf, .svg"),
        (("--schedules", "nowhere/at/all.png"), "there is no folder 'nowhere/at'"),
        (("--anatomy", "nowhere/at/all.png"), "there is no folder 'nowhere/at'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    assert sentence in refusal(*arguments)


def test_a_folder_is_no_picture(tmp_path):
    (tmp_path / "a.png").mkdir()
    assert "is a folder" in refusal("--map", tmp_path / "a.png")


def test_the_process_refuses_with_exit_code_2_and_no_traceback(tmp_path):
    done = lossbench("losses", "dise", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'dice'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schedules_are_drawn_and_the_path_is_printed(tmp_path):
    target = tmp_path / "schedules.svg"
    done = run("--schedules", target, "--epochs", "60")
    assert done.stdout == f"{target}\n"
    assert "<svg" in target.read_text()


def test_the_family_map_is_drawn_and_the_path_is_printed(tmp_path):
    done = run("--map", tmp_path / "map.svg")
    assert done.stdout == f"{tmp_path / 'map.svg'}\n", done.exception
    assert "<svg" in (tmp_path / "map.svg").read_text()


def test_the_anatomy_is_drawn_of_a_dataset(discs_data, tmp_path):
    target = tmp_path / "anatomy.png"
    done = run(
        "--anatomy", target, "--dataset", discs_data / "discs.yaml", "--data", discs_data,
        "--home", tmp_path / "home", "--steps", 2,
    )  # fmt: skip
    assert done.stdout == f"{target}\n", done.exception
    assert target.stat().st_size > 1000


def test_help_does_not_wait_for_torch(tmp_path):
    script = (
        "import sys; from typer.testing import CliRunner; from harness.cli.main import app\n"
        "done = CliRunner().invoke(app, ['losses', '--help'])\n"
        "heavy = {'torch', 'matplotlib', 'pandas', 'ray', 'monai'} & set(sys.modules)\n"
        "assert done.exit_code == 0 and not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
