"""What a row says, from comparisons made up here."""

import json

import pytest

from harness.bench.base import Row
from harness.bench.clocks import Times
from harness.bench.measure import Comparison, Ratio


def comparison(ce: float = 1.0, peer: float = 0.5, aa: float = 1.0, aa_wall: float = 1.0) -> Comparison:
    against = {"ce": Ratio(ce, ce), "peer": Ratio(peer, peer)}
    return Comparison(Times(0.004, 0.005), Ratio(aa, aa_wall), against)


TARGETS = {"ce": 1.3, "peer": 0.75}


@pytest.mark.parametrize(
    ("ce", "peer", "verdict", "shown"),
    [
        (1.3, 0.75, "pass", "pass"),
        (1.31, 0.7, "miss", "miss: ce"),
        (1.4, 0.8, "miss", "miss: ce, peer"),
    ],
)
def test_every_target_must_be_reached(ce, peer, verdict, shown):
    row = Row("boundary", comparison(ce, peer), TARGETS)
    assert row.verdict == verdict
    assert row.cells(("ce", "peer"))["result"] == shown


def test_void_row_neither_passes_nor_misses():
    row = Row("dice", comparison(peer=0.1, aa=1.08), TARGETS)
    assert row.verdict == "void"
    assert row.cells(("ce", "peer"))["result"] == "void: A/A 1.08"


def test_target_against_a_peer_that_is_not_installed_is_no_target():
    alone = Comparison(Times(0.004, 0.005), Ratio(1, 1), {"ce": Ratio(1, 1)})
    row = Row("dice", alone, {"peer": 0.75}, peers={"peer": "not installed"})
    assert row.verdict == "no target"
    cells = row.cells(("ce", "peer"))
    assert (cells["vs peer (wall)"], cells["target"], cells["result"]) == ("not installed", "", "")


def test_wall_ratio_of_a_noisy_machine_is_not_shown():
    cells = Row("dice", comparison(aa_wall=1.3)).cells(("ce", "peer"))
    assert cells["vs peer (wall)"] == "0.50 (noisy)"


def test_error_row_keeps_the_shape_of_the_others():
    broken, whole = Row("mcc", error="ValueError: no"), Row("dice", comparison())
    assert broken.verdict == "error"
    assert broken.cells(("ce", "peer")).keys() == whole.cells(("ce", "peer")).keys()
    assert broken.cells(("ce", "peer"))["note"] == "ValueError: no"
    assert broken.to_json().keys() == whole.to_json().keys()


def test_json_of_a_row():
    row = Row("dice", comparison(peer=0.8), {"peer": 0.75}, {"peer": "MONAI DiceLoss"}, "a note")
    assert json.loads(json.dumps(row.to_json())) == {
        "name": "dice",
        "busy_ms": 4.0,
        "wall_ms": 5.0,
        "aa": {"busy": 1.0, "wall": 1.0},
        "against": {
            "ce": {"what": "ce", "busy": 1.0, "wall": 1.0, "target": None},
            "peer": {"what": "MONAI DiceLoss", "busy": 0.8, "wall": 0.8, "target": 0.75},
        },
        "verdict": "miss",
        "missed": ["peer"],
        "note": "a note",
        "error": None,
    }
