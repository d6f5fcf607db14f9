"""The gradient anatomy and the family map: registry-driven, legible, and written whole or not at all."""

import warnings
from itertools import combinations

import numpy as np
import pytest
import torch

from harness.errors import InputError
from harness.losses import ALIASES, LOSSES, Loss, Relation, parse_loss
from reports.figures.style import drawing_style
from reports.losses.anatomy import draw_anatomy, write_anatomy
from reports.losses.family_layout import WIDTH_MM, lay_out
from reports.losses.family_map import draw_family_map, words_for, write_family_map
from reports.losses.family_tree import Edge, family_tree
from reports.losses.gradients import AnatomyCase, crop, gradient_map, gradient_maps
from reports.losses.panel_grid import by_family, rows_of_groups

HEADS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def make_case(classes=2, **changes):
    """Two discs, one found with a shifted border and one missed, and a false alarm."""
    rows, columns = np.mgrid[:40, :48]

    def disc(row, column, radius):
        return (rows - row) ** 2 + (columns - column) ** 2 < radius**2

    labels = np.where(disc(15, 15, 6) | disc(30, 12, 3), 1, 0)
    logits = np.random.default_rng(3).normal(0, 0.3, (classes, 40, 48))
    logits[1] += np.where(disc(16, 17, 6) | disc(12, 36, 3), 3.0, -4.0)
    if classes > 2:
        labels[disc(31, 36, 5)] = 2
        logits[2] += np.where(disc(30, 35, 5), 4.0, -5.0)
    given = {
        "image": labels + 0.1,
        "labels": labels,
        "logits": logits,
        "spacing": (0.9, 1.2),
        "class_counts": np.array([1700, 160, 80][:classes]),
        "title": "Discs (simulated)",
        "case": "case p7, slice 3 of 9",
        "prediction": "a shifted disc",
        "credit": "Nobody et al., CC BY 4.0",
    }
    return AnatomyCase(**{**given, **changes})


@pytest.fixture(scope="module")
def case():
    return make_case()


@pytest.fixture(scope="module")
def anatomy(case):
    return draw_anatomy(case)


@pytest.fixture(scope="module")
def family_map():
    return draw_family_map()


@pytest.fixture(scope="module")
def layout():
    with drawing_style():
        return lay_out(family_tree(), words_for)


@pytest.fixture
def few_losses(monkeypatch):
    """A registry of four losses: pictures of all of them take seconds."""
    monkeypatch.setattr(LOSSES, "_entries", {name: LOSSES[name] for name in ("ce", "dice", "boundary", "cc")})


def panels(figure):
    return {axis.get_gid()[5:]: axis for axis in figure.axes if (axis.get_gid() or "").startswith("loss-")}


def words(figure):
    return [
        text
        for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
        if text.get_text() and text.get_visible()
    ]


def all_text(figure):
    return " ".join(" ".join(text.get_text() for text in words(figure)).split())


# -- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ce", "dice", "boundary", "lovasz"])
def test_a_map_times_its_norm_is_the_gradient_of_the_foreground_logit(case, name):
    logits = torch.tensor(case.logits[None], requires_grad=True)
    spacing = torch.tensor([case.spacing], dtype=torch.float64)
    LOSSES[name]()(logits, torch.tensor(case.labels[None]), spacing=spacing).backward()
    found = gradient_map(name, case)
    assert np.linalg.norm(found.direction) == pytest.approx(1)
    assert np.allclose(found.norm * found.direction, logits.grad[0, 1], atol=1e-12)
    assert np.allclose(logits.grad[0, 0], -logits.grad[0, 1], atol=1e-12)


def test_descent_raises_the_probability_where_the_object_is_missed(case):
    direction = gradient_map("ce", case).direction
    assert (direction[case.truth & ~case.predicted] < 0).all()
    assert (direction[case.predicted & ~case.truth] > 0).all()


def test_pixels_of_unknown_truth_have_no_gradient_and_are_no_mismatch(case):
    labels = case.labels.copy()
    labels[:, 30:] = 255
    found = gradient_map("dice", make_case(labels=labels))
    assert not found.direction[:, 30:].any()
    assert not make_case(labels=labels).mismatch[:, 30:].any()


def test_shares_of_the_squared_norm_add_up(case):
    found = gradient_map("dice", case)
    assert found.share(case.mismatch) + found.share(~case.mismatch) == pytest.approx(1)


@pytest.mark.parametrize("index", [1, 2])
def test_one_of_several_classes_can_be_looked_at(index):
    several = make_case(classes=3, class_index=index)
    direction = gradient_map("ce", several).direction
    assert (direction[several.truth & ~several.predicted] < 0).all()


# -- the view ------------------------------------------------------------------------------------


def test_the_view_is_a_square_inside_the_slice_around_the_mismatch(case):
    rows, columns = crop(case)
    height, width = (rows.stop - rows.start) * 0.9, (columns.stop - columns.start) * 1.2
    assert height == pytest.approx(width, abs=1.2)
    assert min(rows.start, columns.start) >= 0
    assert rows.stop <= 40
    assert columns.stop <= 48
    assert case.mismatch[rows, columns].any()


@pytest.mark.parametrize("value", [-9.0, 9.0])
def test_there_is_a_view_without_any_truth_or_mismatch(value):
    labels = np.full((40, 48), int(value > 0))
    logits = np.stack([np.zeros((40, 48)), np.full((40, 48), value)])
    rows, columns = crop(make_case(labels=labels, logits=logits))
    assert rows.stop > rows.start
    assert columns.stop > columns.start


def test_rows_hold_every_loss_once_and_small_families_share_a_row():
    families = {"distribution": list("abcdefg"), "region": list("hijklmnopqrst"), "boundary": list("uvwx")}
    rows = rows_of_groups({**families, "lesion": list("yz12")}, 8)
    assert [[(group.family, len(group.names), group.column) for group in row] for row in rows] == [
        [("distribution", 7, 0)],
        [("region", 8, 0)],
        [("region", 5, 0)],
        [("boundary", 4, 0), ("lesion", 4, 4)],
    ]
    assert [group.continued for row in rows for group in row] == [False, False, True, False, False]


def test_a_family_that_nobody_knows_comes_last():
    assert list(by_family({"mine": "own", "ce": "distribution", "cc": "lesion"})) == [
        "distribution",
        "lesion",
        "own",
    ]


# -- the gradient anatomy ------------------------------------------------------------------------


def test_every_registered_loss_has_a_panel_with_its_norm(case, anatomy):
    shown = panels(anatomy)
    assert set(shown) == set(LOSSES)
    for name, found in gradient_maps(case).items():
        text = shown[name].texts[0].get_text()
        assert float(text.replace("−", "-")) == pytest.approx(found.norm, rel=0.05)
        assert shown[name].texts[1].get_text() == f"{100 * found.share(case.mismatch):.0f} %"


def test_all_panels_share_one_symmetric_scale(anatomy):
    scales = {axis.images[0].get_clim() for axis in panels(anatomy).values()}
    assert len(scales) == 1
    low, high = scales.pop()
    assert low == -high


def test_the_scale_is_dark_at_both_ends_and_white_in_the_middle(anatomy):
    colours = next(iter(panels(anatomy).values())).images[0].get_cmap()
    light = [np.dot(colours(place)[:3], (0.3, 0.59, 0.11)) for place in (0.0, 0.5, 1.0)]
    assert light[1] > 0.97
    assert light[0] < light[2] - 0.1 < 0.5  # told apart on grey paper


def test_the_page_says_where_image_and_prediction_come_from(anatomy, case):
    text = all_text(anatomy)
    for words_ in (case.title, case.case, case.prediction, case.credit, "Image and truth", "Mismatch"):
        assert words_ in text


def test_families_stand_under_their_headings(anatomy):
    headings = {text.get_text() for text in anatomy.texts}
    assert {loss.family for loss in LOSSES.values()} <= headings


@pytest.mark.parametrize("picture", ["anatomy", "family_map"])
def test_nothing_is_too_small_or_cut_off(picture, request):
    figure = request.getfixturevalue(picture)
    with drawing_style():
        figure.draw_without_rendering()
        assert figure.get_figwidth() * 25.4 == pytest.approx(183)
        assert figure.get_figheight() * 25.4 < 260
        page = figure.bbox.padded(1)
        for text in words(figure):
            box = text.get_window_extent()
            assert text.get_fontsize() >= 6
            assert page.x0 <= box.x0, text
            assert box.x1 <= page.x1, text
            assert page.y0 <= box.y0, text
            assert box.y1 <= page.y1, text


def test_names_numbers_and_headings_do_not_run_into_one_another(anatomy):
    with drawing_style():
        anatomy.draw_without_rendering()
        boxes = [(text.get_text(), text.get_window_extent().padded(-0.6)) for text in words(anatomy)]
        for (one, its), (other, others) in combinations(boxes, 2):
            assert not its.overlaps(others), (one, other)


def test_a_loss_without_gradient_says_so(few_losses, case):
    class Nothing(Loss):
        name, family, reference = "nothing", "region", "Nobody, 2030"

        def value(self, batch):
            return 0 * batch.p.sum()

    class Constant(Nothing):
        name = "constant"

        def value(self, batch):
            return torch.ones(())

    class Broken(Nothing):
        name = "broken"

        def value(self, batch):
            return (batch.p - batch.p).sum().sqrt()

    for loss in (Nothing, Constant, Broken):
        LOSSES.register(loss.name)(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = panels(draw_anatomy(case))
    assert shown["nothing"].texts[0].get_text() == shown["constant"].texts[0].get_text() == "no gradient"
    assert shown["broken"].texts[0].get_text() == "gradient not finite"


# -- the family map ------------------------------------------------------------------------------


def gids(figure, kind):
    found = [
        artist.get_gid() for artist in figure.findobj(lambda one: (one.get_gid() or "").startswith(kind))
    ]
    assert len(found) == len(set(found))
    return set(found)


def test_every_loss_and_every_sum_has_a_card(family_map):
    assert gids(family_map, "node-") == {f"node-{name}" for name in [*LOSSES, *ALIASES]}


def test_every_relation_and_every_term_is_an_edge(family_map):
    expected = {
        f"edge-{name}-{relation.other}-{relation.kind}"
        for name, loss in LOSSES.items()
        for relation in loss.relations
    } | {
        f"edge-{name}-{term.name}-term"
        for name, alias in ALIASES.items()
        for term in parse_loss(alias.expression).terms
    }
    assert gids(family_map, "edge-") == expected


def test_what_makes_a_loss_another_one_is_written_on_its_card(family_map):
    text = all_text(family_map).replace("\u00a0", " ")
    for words_ in ("gamma = 0 → ce", "→ 0.5 × ce", "beta = 1.5 → tversky (fp = 0.308, fn = 0.692)"):
        assert words_ in text


def overlaps(one, other):
    return (
        one.left < other.right
        and other.left < one.right
        and one.top < other.bottom
        and other.top < one.bottom
    )


def test_cards_do_not_overlap_and_lie_on_the_page(layout):
    for one, other in combinations(layout.cards.values(), 2):
        assert not overlaps(one, other), (one.node.name, other.node.name)
    for card in layout.cards.values():
        assert 0 <= card.left < card.right <= WIDTH_MM
        assert 0 <= card.top < card.bottom <= layout.height


def test_words_stay_inside_their_card_and_apart(family_map):
    with drawing_style():
        family_map.draw_without_rendering()
        cards = [
            patch.get_window_extent().padded(0.5)
            for patch in family_map.axes[0].patches
            if (patch.get_gid() or "").startswith("node-")
        ]
        boxes = [(text.get_text(), text.get_window_extent()) for text in words(family_map)]
        for text, box in boxes:
            touched = [card for card in cards if card.overlaps(box)]
            assert len(touched) <= 1, text
            for card in touched:
                assert card.x0 <= box.x0, text
                assert box.x1 <= card.x1, text
        for (one, its), (other, others) in combinations(boxes, 2):
            assert not its.padded(-0.8).overlaps(others.padded(-0.8)), (one, other)


def test_a_new_loss_lands_in_its_familys_lane(monkeypatch):
    class Mine(Loss):
        name, family, reference = "a_new_loss_with_quite_a_long_name_of_its_own", "boundary", "Nobody, 2030"
        relations = (
            Relation("equals", "ce", {"one": 0.25, "another": 1.0}, factor=2.0),
            Relation("contains", "boundary"),
            Relation("contains", "nobody_knows"),
        )

        def value(self, batch):
            return batch.p.sum()

    monkeypatch.setitem(LOSSES._entries, Mine.name, Mine)
    tree = family_tree()
    with drawing_style():
        layout = lay_out(tree, words_for)
    card = layout.cards[Mine.name]
    assert card.lane == "left"
    assert card.parent == "boundary"
    assert {edge for edge in tree.edges if edge.source == Mine.name} == {
        Edge(Mine.name, "ce", "equals"),
        Edge(Mine.name, "boundary", "contains"),
    }
    assert not any(overlaps(card, other) for other in layout.cards.values() if other is not card)
    figure = draw_family_map()
    assert f"edge-{Mine.name}-ce-equals" in gids(figure, "edge-")
    test_words_stay_inside_their_card_and_apart(figure)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(HEADS))
@pytest.mark.parametrize("picture", ["anatomy", "family"])
def test_the_same_picture_is_written_to_the_same_bytes(
    tmp_path, picture, suffix, case, few_losses, monkeypatch
):
    monkeypatch.setattr("reports.losses.family_tree.ALIASES", {"dice_ce": ALIASES["dice_ce"]})
    for name in ("one", "other"):
        target = tmp_path / "new" / f"{name}{suffix}"
        write_anatomy(target, case) if picture == "anatomy" else write_family_map(target)
    one, other = ((tmp_path / "new" / f"{name}{suffix}").read_bytes() for name in ("one", "other"))
    assert one == other
    assert one.startswith(HEADS[suffix])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"one{suffix}", f"other{suffix}"]


def test_other_formats_are_refused_before_anything_is_drawn(tmp_path, case):
    for write in (
        lambda: write_anatomy(tmp_path / "a.gif", case),
        lambda: write_family_map(tmp_path / "a.gif"),
    ):
        with pytest.raises(InputError, match=r"cannot draw into '\.gif'; use one of \.png, \.pdf, \.svg"):
            write()
    assert not list(tmp_path.iterdir())
