"""The picture of the alpha schedules: every one is there, readable, and written whole or not at all."""

from typing import ClassVar, Literal

import numpy as np
import pytest
from PIL import Image

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES
from harness.losses.schedule import Form, Schedule
from reports.figures import write
from reports.figures.style import drawing_style
from reports.losses.schedules import draw_schedules, write_schedules


def panels(figure):
    """Return the axes by name and kind."""
    return {
        (axis.get_title(loc="left"), axis.get_title(loc="right")): axis for axis in figure.axes if axis.axison
    }


def words(figure):
    return [
        text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()
    ]


def test_every_registered_schedule_has_a_panel_with_its_form_source_and_weights():
    shown = panels(draw_schedules(200))
    expected = {(name, make().form) for name, make in ALPHA_SCHEDULES.items()}
    assert set(shown) == expected | {("rebalance", "published code")}
    for (name, kind), axis in shown.items():
        make = ALPHA_SCHEDULES[name]
        schedule = make(published_code=True) if kind == "published code" else make()
        note = " ".join(text.get_text() for text in axis.texts).replace("\u00a0", " ")
        assert schedule.reference in " ".join(note.split())
        for line, place in zip(axis.lines, (0, 1), strict=True):
            drawn = np.asarray(line.get_ydata())[:-1]
            assert drawn.tolist() == [schedule.weights(epoch, 200)[place] for epoch in range(200)]


def test_a_new_schedule_shows_up_by_itself(monkeypatch):
    class Halving(Schedule):
        reference: ClassVar[str] = "Nobody et al., 2030"
        schedule: Literal["halving"] = "halving"
        form: Form = "mix"

        def alpha(self, epoch, epochs):
            return 0.5**epoch

    monkeypatch.setitem(ALPHA_SCHEDULES._entries, "halving", Halving)
    shown = panels(draw_schedules(10))
    assert ("halving", "mix") in shown
    assert len(shown) == 9


def test_lines_are_told_apart_without_colour_and_named_where_they_end():
    for axis in panels(draw_schedules(200)).values():
        region, boundary = axis.lines
        assert region.get_linestyle() == "-"
        assert boundary.get_linestyle() == "--"
        labels = {text.get_text(): text.xy[1] for text in axis.texts if text.get_text().startswith("$w")}
        assert set(labels) == {"$w_R$", "$w_B$"}
        assert abs(labels["$w_R$"] - labels["$w_B$"]) > 0.1


@pytest.mark.parametrize("epochs", [1, 2, 8, 200, 1000])
def test_nothing_is_too_small_cut_off_or_on_top_of_other_words(epochs):
    with drawing_style():
        figure = draw_schedules(epochs)
        figure.draw_without_rendering()
        assert figure.get_figwidth() * 25.4 == pytest.approx(183)
        assert min(text.get_fontsize() for text in words(figure)) >= 6
        page = figure.bbox.padded(0.5)
        for axis in panels(figure).values():
            pieces = [text for text in words(axis) if text.get_visible()]
            boxes = [(text.get_text(), text.get_window_extent()) for text in pieces]
            for place, (text, box) in enumerate(boxes):
                assert page.x0 <= box.x0, text
                assert box.x1 <= page.x1, text
                for other, its_box in boxes[place + 1 :]:
                    assert not box.padded(-1).overlaps(its_box.padded(-1)), (text, other)


def test_a_training_that_is_too_short_is_said_in_the_panel():
    shown = panels(draw_schedules(8))
    text = " ".join(shown["step", "mix"].texts[-1].get_text().split())
    assert text.startswith("Not for 8 epochs: hold must be at most half of 8 epochs")
    assert not shown["step", "mix"].lines
    assert len(shown["warm_start", "add"].lines) == 2


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".SVG"])
def test_the_same_picture_is_written_to_the_same_bytes(tmp_path, suffix):
    for name in ("one", "other"):
        write_schedules(tmp_path / "new" / f"{name}{suffix}", 20)
    one, other = ((tmp_path / "new" / f"{name}{suffix}").read_bytes() for name in ("one", "other"))
    assert one == other
    head = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix.lower()]
    assert one.startswith(head)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"one{suffix}", f"other{suffix}"]


def test_the_picture_is_183_mm_wide(tmp_path):
    write_schedules(tmp_path / "schedules.png")
    with Image.open(tmp_path / "schedules.png") as picture:
        assert picture.width / picture.info["dpi"][0] * 25.4 == pytest.approx(183, abs=0.5)


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    target = tmp_path / "schedules.png"
    target.write_text("old")

    def fail(drawing, path):
        path.write_text("half")
        raise OSError("no space left on device")

    monkeypatch.setattr(write, "save_as", fail)
    with pytest.raises(OSError, match="no space left"):
        write_schedules(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "epochs", "message"),
    [
        ("schedules.gif", 200, "cannot draw into '.gif'; use one of .png, .pdf, .svg"),
        ("schedules", 200, "cannot draw into ''"),
        ("schedules.png", 0, "a training has at least 1 epoch (got 0)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, name, epochs, message):
    with pytest.raises(InputError) as error:
        write_schedules(tmp_path / name, epochs)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())
