"""Numbers printed in papers are there, exactly, with their sources."""

import csv
import json
from collections import Counter
from importlib.resources import files

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.data.description import catalogue
from harness.errors import InputError
from harness.losses import parse_loss
from harness.metrics import METRICS
from harness.published import SOURCES, STUDIES, PublishedNumber, published_for, published_numbers

ROWS = {"kervadec2019": 49, "wong2018": 140, "anatomynet2019": 40, "nnunet2019": 49, "odyssey2021": 196}
EVERYTHING = published_numbers()


def one(study: str, **wanted: str) -> PublishedNumber:
    (found,) = [
        number
        for number in published_numbers(study)
        if all(getattr(number, key) == value for key, value in wanted.items())
    ]
    return found


def form_of(expression: str) -> list[dict[str, object]]:
    """Return what a study file would write for a canonical expression."""
    terms: list[dict[str, object]] = []
    for term in expression.split(" + "):
        name, _, inside = term.rstrip(")").partition("(")
        pairs = [pair.split("=") for pair in inside.split(", ") if pair]
        terms.append({"name": name, **{key: _as_yaml(value) for key, value in pairs}})
    return terms


def _as_yaml(text: str) -> object:
    try:
        number = json.loads(text)
    except json.JSONDecodeError:
        return text
    return number


@pytest.mark.parametrize("study", STUDIES)
def test_every_row_of_the_tables_is_there(study: str) -> None:
    assert len(published_numbers(study)) == ROWS[study]


def test_all_studies_together_have_every_number_once() -> None:
    assert len(EVERYTHING) == sum(ROWS.values())
    places = Counter(
        (each.source.table, each.setting, each.printed_dataset, each.label, each.loss, each.metric)
        for each in EVERYTHING
    )
    assert set(places.values()) == {1}


@pytest.mark.parametrize(
    ("dataset", "loss", "dsc", "hd"),
    [
        ("isles2018", "L_B", (0.321, 0.0), (None, None)),
        ("isles2018", "L_GD", (0.575, 0.028), (4.009, 0.016)),
        ("isles2018", "L_GD + L_B", (0.656, 0.023), (3.562, 0.009)),
        ("wmh2017", "L_B", (0.569, 0.0), (None, None)),
        ("wmh2017", "L_GD", (0.727, 0.006), (1.045, 0.014)),
        ("wmh2017", "L_GD + L_B", (0.748, 0.005), (0.987, 0.010)),
    ],
)
def test_the_boundary_paper(
    dataset: str, loss: str, dsc: tuple[float, float], hd: tuple[float | None, float | None]
) -> None:
    found = [
        number
        for number in published_numbers("kervadec2019")
        if (number.dataset, number.loss, number.source) == (dataset, loss, SOURCES["kervadec2019"])
    ]
    assert [(each.metric, each.value, each.spread) for each in found] == [("dsc", *dsc), ("hd", *hd)]
    assert not any(number.comparable for number in found)  # slices, and no Hausdorff distance in mm


def test_na_is_no_number() -> None:
    number = one("kervadec2019", dataset="wmh2017", loss="L_B", metric="hd")
    assert (number.value, number.printed) == (None, "NA")


def test_the_source_says_what_the_metric_and_the_spread_are() -> None:
    source = SOURCES["kervadec2019"]
    assert "no Hausdorff distance" in source.metric_note
    assert "not in mm" in source.metric_note
    assert source.spread == "SD over 2 runs"
    assert source.evaluation.startswith("validation")


ORGANS = {
    "Brain Stem": (85.1, 85.0, 86.1, 85.2),
    "Chiasm": (50.1, 50.0, 52.2, 48.8),
    "Mand.": (91.5, 89.9, 90.0, 91.0),
    "Optic Ner L": (69.1, 67.9, 68.4, 69.6),
    "Optic Ner R": (66.9, 65.9, 69.1, 67.4),
    "Paro. L": (86.6, 86.4, 87.4, 88.0),
    "Paro. R": (85.6, 84.8, 86.3, 86.9),
    "Subm. L": (78.5, 76.3, 79.6, 77.8),
    "Subm. R": (77.7, 78.2, 79.8, 78.4),
    "average": (76.8, 76.0, 77.7, 77.0),
}


@pytest.mark.parametrize("organ", ORGANS)
def test_anatomynet(organ: str) -> None:
    losses = ("Dice loss", "Exp. Log. Dice", "Dice + focal", "Dice + cross entropy")
    found = [one("anatomynet2019", label=organ, loss=loss) for loss in losses]
    assert [number.printed for number in found] == [f"{percent} %" for percent in ORGANS[organ]]
    assert [number.value for number in found] == [round(percent / 100, 3) for percent in ORGANS[organ]]


@pytest.mark.parametrize(
    ("setting", "loss", "printed"),
    [
        ("proposed network", "linear Dice", "43 (11) %"),
        ("proposed network", "log Dice, gamma 1", "80 (2) %"),
        ("proposed network", "weighted CE, gamma 1", "77 (2) %"),
        ("proposed network", "exp-log, gamma 1", "81 (1) %"),
        ("proposed network", "exp-log, gamma 2", "67 (11) %"),
        ("proposed network", "exp-log, gamma 0.3", "82 (1) %"),
        ("V-Net", "exp-log, gamma 0.3", "74 (4) %"),
    ],
)
def test_the_averages_and_the_labels_of_the_exponential_logarithmic_loss(
    setting: str, loss: str, printed: str
) -> None:
    assert one("wong2018", setting=setting, loss=loss, label="average").printed == printed
    labels = [
        each.label for each in published_numbers("wong2018") if (each.setting, each.loss) == (setting, loss)
    ]
    assert labels == [*map(str, range(1, 20)), "average"]


def test_per_cent_of_a_dsc_becomes_a_dsc() -> None:
    number = one("wong2018", setting="proposed network", loss="linear Dice", label="2")
    assert (number.value, number.spread, number.unit, number.printed) == (0.47, 0.38, "", "47 (38) %")


TASKS = ("BraTS", "Liver lowres", "Liver fullres", "Hippocampus", "Prostate", "Lung nodule", "Pancreas")


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("Vanilla nnU-Net", (0.72, 0.79, 0.78, 0.89, 0.77, 0.65, 0.65)),
        ("Only cross-entropy loss", (-0.6, -12.0, -6.3, 0.0, -1.4, -25.4, -8.8)),
        ("Only dice loss", (0.9, -2.5, -10.1, -0.3, -3.0, -11.5, 1.6)),
    ],
)
def test_the_ablation_of_nnunet_stays_as_printed(row: str, values: tuple[float, ...]) -> None:
    found = [one("nnunet2019", loss=row, printed_dataset=task) for task in TASKS]
    assert tuple(number.value for number in found) == values
    relative = row != "Vanilla nnU-Net"
    assert {number.comparable for number in found} == {not relative}
    assert all(("relative change" in number.unit) == relative for number in found)


def test_variants_of_the_network_have_the_loss_of_vanilla_and_stand_apart_from_it() -> None:
    numbers = published_numbers("nnunet2019")
    losses = {number.loss for number in numbers if not number.variant}
    assert losses == {"Vanilla nnU-Net", "Only cross-entropy loss", "Only dice loss"}
    variants = {number.variant: number.loss for number in numbers if number.variant}
    assert variants == {
        "batch norm": "Batch norm instead of Inst. norm",
        "no normalisation": "No feature map normalization",
        "ReLU": "ReLU instead of LeakyReLU",
        "no augmentation": "No data augmentation",
    }
    assert {number.expression for number in numbers if number.variant} == {"dice + ce"}
    assert [each.printed for each in published_for("msd_lung", "ce + dice")] == ["0.65"]
    (found,) = published_for("msd_lung", "dice + ce", variant="Batch Norm")
    assert (found.value, found.relative) == (-14.2, True)
    assert published_for("msd_lung", "ce", variant="batch norm") == []


def test_loss_odyssey() -> None:
    number = one("odyssey2021", loss="DiceTopK10", printed_dataset="Liver Tumor", metric="dsc")
    assert number.value == 0.6691
    trainers = Counter(number.setting for number in published_numbers("odyssey2021"))
    assert sorted(trainers.values()) == [36, 160]


@pytest.mark.parametrize("number", SOURCES.values(), ids=list(SOURCES))
def test_a_source_says_everything(number: object) -> None:
    assert all(vars(number).values())


def test_every_source_is_used() -> None:
    assert {number.source for number in EVERYTHING} == set(SOURCES.values())


def test_named_datasets_and_their_structures_are_in_the_catalogue() -> None:
    known = catalogue()
    assert {number.dataset for number in EVERYTHING} <= set(known)
    for number in EVERYTHING:
        assert number.class_name in {"", *known[number.dataset].classes.values()}


@pytest.mark.parametrize(
    ("study", "printed", "ours"),
    [
        ("anatomynet2019", "Brain Stem", "brain stem"),
        ("anatomynet2019", "Mand.", "mandible"),
        ("anatomynet2019", "Optic Ner L", "left optic nerve"),
        ("anatomynet2019", "Paro. R", "right parotid"),
        ("anatomynet2019", "Subm. L", "left submandibular"),
        ("anatomynet2019", "average", ""),
        ("wong2018", "1", "label 1"),
        ("wong2018", "19", "label 19"),
        ("wong2018", "average", ""),
        ("odyssey2021", "cancer", "cancer"),
    ],
)
def test_printed_structures_have_our_names(study: str, printed: str, ours: str) -> None:
    found = {number.class_name for number in published_numbers(study) if number.label == printed}
    assert found == {ours}


def test_every_structure_of_a_dataset_that_is_printed_by_structure_is_there() -> None:
    known = catalogue()
    for dataset in ("pddca", "brain_19_labels"):
        named = [number.class_name for number in EVERYTHING if number.dataset == dataset]
        assert set(named) == {"", *known[dataset].classes.values()}


def test_numbers_with_a_known_schedule_name_it() -> None:
    alphas = Counter((each.source.short, each.alpha) for each in EVERYTHING if each.alpha)
    assert alphas["Kervadec et al. 2019", "rebalance"] == 4
    strategies = {each.alpha for each in EVERYTHING if each.source == SOURCES["kervadec2021_alpha"]}
    assert strategies == {"constant 0.01", "constant 1", "constant 2", "increase", "rebalance"}


def test_means_over_slices_stand_beside_ours_of_slices() -> None:
    nearest = {(each.source.short, each.metric): each.beside for each in EVERYTHING if each.nearest}
    assert nearest == {("Kervadec et al. 2019", "dsc"): "slice_dsc"}


@pytest.mark.parametrize("expression", sorted({each.expression for each in EVERYTHING} - {""}))
def test_every_expression_is_a_loss_of_ours_in_canonical_form(expression: str) -> None:
    assert parse_loss(form_of(expression)).expression == expression


def test_metrics_are_named_as_ours() -> None:
    assert {number.beside for number in EVERYTHING} <= {*METRICS, "nsd"}  # ours name the tolerance


def test_a_row_has_every_column() -> None:
    for study in STUDIES:
        text = files("harness.published").joinpath("numbers", f"{study}.csv").read_text(encoding="utf-8")
        assert all(None not in {*row, *row.values()} for row in csv.DictReader(text.splitlines()))


def test_an_unknown_study_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'kervadec2019'"):
        published_numbers("kervadec2018")


def test_numbers_are_found_by_dataset_and_loss() -> None:
    assert [each.printed for each in published_for("wmh2017", "gdl", "hd95")] == ["3.63 mm"]
    assert {each.metric for each in published_for("wmh2017", "gdl")} == {"dsc", "hd", "hd95"}
    assert published_for("wmh2017", "tversky") == []
    assert published_for("", "dice") == []  # what is not in the catalogue has no dataset to ask for


def test_simulated_data_stand_beside_what_they_imitate() -> None:
    assert published_for("wmh2017-sim", "gdl") == published_for("wmh2017", "gdl") != []


@pytest.mark.parametrize(
    "expression",
    [
        "gdl + boundary",
        "boundary + gdl",
        "gdl(eps=0.0001, reduce=sample) + boundary(offset=kervadec, unit=pixel)",
    ],
)
def test_conventions_and_the_order_of_terms_do_not_count(expression: str) -> None:
    found = published_for("isles2018", expression, "dsc")
    assert [each.printed for each in found[:2]] == ["0.656 (0.023)", "0.644"]
    assert [each.setting for each in found[2:]] == [
        *("alpha: constant 0.01", "alpha: constant 1", "alpha: constant 2"),
        *("alpha: increase", "alpha: rebalance"),
    ]


@pytest.mark.parametrize("expression", ["gdl + boundary(dimensions=3)", "gdl + 0.5*boundary", "gdl"])
def test_what_makes_another_loss_counts(expression: str) -> None:
    two = published_for("isles2018", "gdl + boundary", "dsc")
    assert not set(two) & set(published_for("isles2018", expression, "dsc"))


def test_the_command_lists_numbers_and_sources() -> None:
    result = CliRunner().invoke(app, ["published", "--study", "kervadec2019"])
    assert result.exit_code == 0
    assert "0.656 (0.023)" in result.output
    assert "no Hausdorff distance" in result.output
    assert "AnatomyNet" not in result.output


def test_the_command_prints_everything_as_json() -> None:
    result = CliRunner().invoke(app, ["published", "--json"])
    rows = json.loads(result.stdout)
    assert len(rows) == len(EVERYTHING)
    assert rows[0]["source"]["table"] == "Table 1"
