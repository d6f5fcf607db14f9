"""Contact sheets show every case that is asked for, also broken ones."""

import json

import numpy as np
import pytest
import typer
from matplotlib.contour import ContourSet
from PIL import Image
from typer.testing import CliRunner

from harness.cli.data_show import show
from harness.data.case import Case
from harness.data.description import catalogue, describe
from harness.errors import InputError
from reports.datasets.contact_sheet import SheetFacts, choose_evenly, contact_sheet, draw_contact_sheet
from reports.datasets.tile_drawing import WRONG
from reports.datasets.tiles import ContactSheetCase, make_tile, panel_names
from reports.figures.style import drawing_style
from tests.reports.spotted_case import make_case

FACTS = SheetFacts("spots", "Spots in noise", ("FLAIR", "T1"), {1: "spot", 2: "ring"}, cases=40)


def shown(seed=0, **changes):
    given = {"name": f"case_{seed}", "patient": f"p{seed}", "site": "Utrecht", "case": make_case(seed)}
    return ContactSheetCase(**{**given, **changes})


def all_text(figure):
    found = figure.findobj(lambda artist: hasattr(artist, "get_fontsize") and artist.get_text())
    return " ".join(" ".join(text.get_text().replace("\u00a0", " ").split()) for text in found)


def panels_of(figure):
    return [axis for axis in figure.axes if axis.images]


# -- one tile ------------------------------------------------------------------------------------


def tile(**changes):
    return make_tile(shown(**changes), FACTS.channels, ("FLAIR",), FACTS.classes)


def test_the_slice_with_most_foreground_is_shown_unless_another_is_asked_for():
    assert tile().picture.slice_number == 3
    assert tile(slice_number=2).picture.slice_number == 2
    with pytest.raises(InputError, match=r"case 'case_0' has no slice 9; its slices are 1\.\.5"):
        tile(slice_number=9)


def test_a_case_without_foreground_shows_its_middle():
    case = make_case()
    empty = Case(case.image, np.zeros_like(case.labels), None, case.spacing)
    assert tile(case=empty).picture.slice_number == 3


def test_volumes_are_turned_anterior_up_and_right_to_the_left():
    picture = tile().picture
    assert picture.labels[40 - 1 - 30, 30 - 1 - 20] == 2


def test_photographs_stay_as_stored_in_colour():
    image = np.zeros((3, 1, 20, 24), np.float32)
    image[0, 0, 5, 7] = 255
    photograph = Case(image, np.zeros((1, 20, 24), np.uint8), None, (1.0, 1.0, 1.0))
    channels = ("red", "green", "blue")
    found = make_tile(shown(case=photograph), channels, panel_names(channels, None), {1: "vessel"}).picture
    assert found.panels[0].shape == (20, 24, 3)
    assert found.panels[0][5, 7].tolist() == [1, 0, 0]
    assert (found.view.bottom, found.view.right) == (20, 24)


def test_fractions_are_shares_of_the_whole_volume():
    assert tile().picture.fractions == pytest.approx((24 / 6000, 1 / 6000))


def test_ct_is_windowed_to_soft_tissue():
    image = np.full((1, 1, 40, 40), -1000.0, np.float32)
    image[..., 5:35, 5:35] = 1500
    image[..., 8:32, 8:32] = np.random.default_rng(0).normal(35, 4, (24, 24))
    image[..., 12:16, 12:16] = 15
    case = Case(image, np.zeros((1, 40, 40), np.uint8), None, (5.0, 1.0, 1.0))
    panel = make_tile(shown(case=case), ("CT",), ("CT",), {1: "infarct"}).picture.panels[0]
    brain, ventricle = np.median(panel[8:32, 8:32]), panel[::-1, ::-1][13, 13]
    assert 0.3 < brain < 0.7
    assert ventricle < brain - 0.2


@pytest.mark.parametrize(
    ("channel", "panels"), [(None, ("FLAIR",)), ("T1", ("T1",)), ("all", ("FLAIR", "T1"))]
)
def test_channels_are_chosen_by_name(channel, panels):
    assert panel_names(FACTS.channels, channel) == panels


def test_an_unknown_channel_is_refused_with_a_hint():
    with pytest.raises(InputError, match=r"no channel 'FLAIRE'.*'FLAIR'"):
        panel_names(FACTS.channels, "FLAIRE")


# -- the sheet -----------------------------------------------------------------------------------


def test_the_sheet_names_dataset_cases_slices_sizes_and_classes():
    text = all_text(contact_sheet([shown(0), shown(1)], FACTS).figure)
    for words in (
        "Spots in noise (spots)",
        "2 of 40 cases",
        "1 spot",
        "2 ring",
        "case_0 (p0), Utrecht",
        "slice 3/5 · 6 × 1 × 2 mm",
        "1: 0.4 %, 2: 0.017 %",
    ):
        assert words in text
    assert "SIMULATED" not in text
    assert "ignored" not in text


def test_simulated_images_are_called_so():
    facts = SheetFacts("spots-sim", "Spots", ("FLAIR", "T1"), {1: "spot", 2: "ring"}, 4, simulated=True)
    text = all_text(contact_sheet([shown()], facts).figure)
    assert "SIMULATED" in text
    assert "simulated images" in text


def test_pixels_keep_their_aspect():
    figure = contact_sheet([shown()], FACTS).figure
    (axis,) = panels_of(figure)
    box = axis.get_position()
    inches = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    assert inches[0] / (right - left) == pytest.approx(inches[1] / (bottom - top), rel=0.01)


def test_outlines_leave_the_labelled_pixels_free():
    (axis,) = panels_of(contact_sheet([shown()], FACTS).figure)
    lines = [each for each in axis.collections if isinstance(each, ContourSet)]
    assert len(lines) == 2
    (row, column), (down, across) = (40 - 1 - 30, 30 - 1 - 20), (1.0, 2.0)
    points = np.concatenate([path.vertices for path in lines[1].get_paths()])  # around a single pixel
    apart = np.maximum(
        np.abs(points[:, 0] - (column + 0.5) * across) / across,
        np.abs(points[:, 1] - (row + 0.5) * down) / down,
    )
    assert apart.min() > 0.7  # a pixel ends at 0.5


def test_unknown_truth_is_hatched_and_explained():
    figure = contact_sheet([shown(case=make_case(ignored=True))], FACTS).figure
    hatched = [each for each in panels_of(figure)[0].collections if getattr(each, "hatches", [None])[0]]
    assert hatched
    assert "ignored" in all_text(figure)


def test_a_case_that_cannot_be_read_shows_the_reason_in_red():
    broken = shown(3, case=None, note="case 'case_3': cannot read image 'a.nii.gz' (truncated)")
    figure = contact_sheet([shown(0), broken], FACTS).figure
    red = [text for axis in figure.axes for text in axis.texts if text.get_color() == WRONG]
    assert "truncated" in " ".join(text.get_text() for text in red)
    assert len(panels_of(figure)) == 1


def test_a_note_stands_in_red_below_a_picture():
    figure = contact_sheet([shown(note="label 255 is not in the label map")], FACTS).figure
    assert any("label 255" in text.get_text() and text.get_color() == WRONG for text in figure.texts)


def test_all_channels_stand_side_by_side():
    figure = contact_sheet([shown(0), shown(1)], FACTS, "all").figure
    assert len(panels_of(figure)) == 4
    assert "FLAIR T1" in all_text(figure)


@pytest.mark.parametrize("number", [1, 2, 5, 12])
def test_nothing_is_cut_off_and_no_words_run_into_one_another(number):
    long = {"name": "sub-verylongsubjectname_ses-0001_acq-highres_run-0{}", "site": "Amsterdam GE3T"}
    cases = [shown(each, **{**long, "name": long["name"].format(each)}) for each in range(number)]
    facts = SheetFacts("spots", "A title of many words " * 4, FACTS.channels, FACTS.classes, cases=40)
    figure = contact_sheet(cases, facts).figure
    with drawing_style():
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.texts]
    for place, box in enumerate(boxes):
        assert box.x0 >= figure.bbox.x0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= figure.bbox.y0
        assert box.y1 <= figure.bbox.y1
        assert not any(box.padded(-1.5).overlaps(other.padded(-1.5)) for other in boxes[place + 1 :])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_sheets_are_written_in_the_format_of_their_suffix(tmp_path, suffix):
    path = tmp_path / "new" / f"sheet{suffix}"
    draw_contact_sheet([shown()], FACTS, path)
    assert path.read_bytes().startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix])
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_cases_are_taken_one_at_a_time():
    alive = []

    def cases():
        for seed in range(3):
            alive.append(seed)
            yield shown(seed)

    contact_sheet(cases(), FACTS)
    assert alive == [0, 1, 2]


def test_an_empty_sheet_is_refused():
    with pytest.raises(InputError, match="no case to draw"):
        contact_sheet([], FACTS)


def test_cases_are_chosen_evenly_from_least_to_most_foreground():
    class Facts:
        def __init__(self, number):
            self.case, self.foreground_fraction = str(number), (number * 7) % 23

    names = choose_evenly([Facts(number) for number in range(23)], 5)
    assert len(names) == 5
    loads = [(int(name) * 7) % 23 for name in names]
    assert loads == sorted(loads)
    assert (loads[0], loads[-1]) == (0, 22)
    assert len(choose_evenly([Facts(1), Facts(2)], 12)) == 2


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def run(discs_data):
    app = typer.Typer()
    app.command()(show)

    def run(*arguments):
        line = [str(discs_data / "discs.yaml"), "--data", str(discs_data), *map(str, arguments)]
        return CliRunner().invoke(app, line)

    return run


def test_the_card_is_printed_when_nothing_is_to_be_written(run):
    result = run()
    assert result.exit_code == 0
    assert "# Discs in noise (discs)" in result.output
    assert "train 4, validation 2, test 2 patients" in result.output


def test_sheet_and_card_are_written(run, tmp_path):
    result = run("--out", tmp_path / "sheet.png", "--card", tmp_path / "card.json", "--channel", "all")
    assert result.exit_code == 0
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 800
    assert json.loads((tmp_path / "card.json").read_text())["cases"] == 8


def test_cases_and_slices_can_be_asked_for(run, tmp_path):
    assert run("--out", tmp_path / "sheet.svg", "--case", "p3", "--case", "p5:1").exit_code == 0
    text = (tmp_path / "sheet.svg").read_text()
    assert "p3" in text
    assert "slice 1/3" in text
    assert "2 of 8 cases" in text


def test_an_unreadable_case_gets_a_tile_and_does_not_stop_the_others(discs_data, tmp_path):
    from shutil import copytree

    copytree(discs_data, tmp_path / "data")
    broken = tmp_path / "data" / "discs" / "images" / "p2_a.nii.gz"
    broken.write_bytes(broken.read_bytes()[:200])
    (tmp_path / "data" / "discs" / "images" / "p4_b.nii.gz").unlink()
    app = typer.Typer()
    app.command()(show)
    line = [
        str(discs_data / "discs.yaml"),
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "s.svg"),
    ]
    result = CliRunner().invoke(app, [*line, "--card", str(tmp_path / "card.md")])
    assert result.exit_code == 0, result.output
    drawn = (tmp_path / "s.svg").read_text()
    assert "8 of 8 cases" in drawn
    assert drawn.count("cannot read image") == drawn.count("case 'p4' has no") == 1
    card = (tmp_path / "card.md").read_text()
    assert "cannot read image 'images/p2_a.nii.gz'" in card
    assert "has no image 'images/p4_b.nii.gz'" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "sheet.gif"], "cannot draw into '.gif'"),
        (["--card", "card.txt"], "must end in one of .md, .json"),
        (["--case", "p3"], "--case and --channel go with --out"),
        (["--out", "s.png", "--case", "p33"], "has no case 'p33'"),
        (["--out", "s.png", "--case", "p3:x"], "slice 'x' is no number"),
        (["--out", "s.png", "--case", "p3:7"], "case 'p3' has no slice 7"),
        (["--out", "s.png", "--channel", "c"], "no channel 'c'"),
    ],
)
def test_what_cannot_be_shown_is_refused(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.real_data
def test_real_photographs_and_volumes_are_drawn(shared_data, tmp_path):
    app = typer.Typer()
    app.command()(show)
    for name, case in (
        ("tabriz_ms_wmh", "105911"),
        ("chase_db1", "01L"),
        ("msd_hippocampus", "hippocampus_001"),
    ):
        assert describe(name, tmp_path) == catalogue()[name]
        line = [name, "--data", str(shared_data), "--out", str(tmp_path / f"{name}.png"), "--case", case]
        result = CliRunner().invoke(app, line)
        assert result.exit_code == 0, result.output
