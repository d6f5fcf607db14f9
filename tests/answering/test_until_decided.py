"""``run --until-decided``: which seeds are trained, which looks are taken, and that decisions stay."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.answering.until_decided import Ways
from harness.scheduling.trial_source import TrialResult
from harness.statistics.block import Block, Unanswerable
from harness.statistics.stages import Looks, Stage
from harness.store import frames
from harness.store.database import Database, open_database
from harness.store.stages import read_stages
from tests.answering.deciding_lab import LOSSES, DecidingLab, World, study_of
from tests.tuning.lab import Workers

CLEAR = World({"ce": 0.8, "dice": 0.6, "gdl": 0.5, "focal": 0.4})
CLOSE = World({"ce": 0.8, "dice": 0.8, "gdl": 0.79, "focal": 0.4}, case=0.003, seed=0.01)
"""GDL is dropped at the second look only."""


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty results database in a file: to migrate takes longer than to copy."""
    path = tmp_path_factory.mktemp("empty") / "results.db"
    open_database(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture
def databases(empty: Path, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Make empty databases."""
    made: list[Database] = []

    def make() -> Database:
        path = tmp_path / f"results{len(made)}.db"
        shutil.copy(empty, path)
        made.append(open_database(f"sqlite:///{path}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def database(databases: Callable[[], Database]) -> Database:
    return databases()


def lab_of(database: Database, tmp_path: Path, world: World) -> DecidingLab:
    return DecidingLab(database, tmp_path, world)


def judge_of(*stages: Stage) -> Ways:
    """Return ways with a made-up judge, which says one stage after the other."""

    def judge(block: Block, look: int, looks: Looks, margin: float) -> Stage:
        return replace(stages[look], look=look)

    return Ways(judge=judge)


def go_on(dropped: tuple[str, ...], **wanted: int) -> Stage:
    return Stage(0, "go on", "not yet", dropped, wanted)


END = Stage(0, "decided", "enough", (), {})


def test_a_clear_winner_needs_three_seeds_of_every_loss(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    summary = lab.decide(study_of())
    assert (summary.trained, summary.left) == (12, 0)
    assert lab.seeds_trained() == {loss: [0, 1, 2] for loss in LOSSES}
    (stage,) = lab.stages(study_of())
    assert (stage.outcome, stage.planned, stage.alpha) == ("decided", (3, 5, 10), pytest.approx(0.01))
    assert set(stage.dropped) == {"DICE", "GDL", "FOCAL"}


def test_seeds_go_where_the_judge_wants_them(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    ways = judge_of(go_on(("FOCAL",), CE=5, DICE=5), go_on((), CE=10), END)
    assert lab.decide(study_of(), ways=ways).trained == 12 + 4 + 5
    assert lab.seeds_trained() == {
        "ce": [*range(10)],
        "dice": [*range(5)],
        "gdl": [0, 1, 2],
        "focal": [0, 1, 2],
    }
    stages = lab.stages(study_of())
    assert [each.look for each in stages] == [0, 1, 2]
    assert stages[-1].seeds == {"CE": 10, "DICE": 5, "GDL": 3, "FOCAL": 3}


def test_the_judge_sees_what_was_not_dropped_with_the_seeds_that_it_has(
    database: Database, tmp_path: Path
) -> None:
    seen: list[tuple[tuple[str, ...], list[int], float]] = []

    def judge(block: Block, look: int, looks: Looks, margin: float) -> Stage:
        seen.append((block.losses, block.seeds.tolist(), margin))
        return go_on(("FOCAL",), DICE=5) if look == 0 else END

    study = study_of(analysis={"margins": {"dsc": 0.02}})
    lab_of(database, tmp_path, CLEAR).decide(study, ways=Ways(judge=judge))
    assert seen == [
        (("CE", "DICE", "GDL", "FOCAL"), [3, 3, 3, 3], 0.02),
        (("CE", "DICE", "GDL"), [3, 5, 3], 0.02),
    ]


def test_every_look_at_test_scores_is_counted_once(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLOSE)
    lab.decide(study_of())
    stages = lab.stages(study_of())
    assert [each.outcome for each in stages] == ["go on", "decided"]
    looks = frames.looks(database, "demo")["digest"].tolist()
    assert looks == [each.digest for each in stages]
    evidence = lab.evidence(study_of())
    assert evidence.digest == looks[-1]
    assert [each.look for each in evidence.stages] == list(range(len(stages)))


def test_a_study_that_ended_early_is_complete(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    lab.decide(study_of())
    evidence = lab.evidence(study_of())
    assert (evidence.complete, evidence.part, evidence.settled) == (True, "test", frozenset({"demo"}))
    assert set(evidence.states["seed"]) == {0, 1, 2}


def test_a_loss_that_the_study_gets_later_is_not_decided(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    lab.decide(study_of())
    more = study_of(losses=[{"label": name.upper(), "loss": name} for name in (*LOSSES, "iou")])
    assert lab.killed_deciding(more, after=1)
    assert (lab.evidence(more).complete, lab.evidence(more).part) == (False, "validation")
    lab.decide(more)
    assert lab.seeds_trained()["iou"][-3:] == [0, 1, 2]
    assert len(lab.stages(more)) == 2
    assert lab.evidence(more).complete


@pytest.mark.full
def test_a_study_that_is_then_trained_whole_is_complete_with_all_seeds_only(
    database: Database, tmp_path: Path
) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    lab.decide(study_of())
    assert lab.plain(study_of()).trained == 8
    evidence = lab.evidence(study_of())
    assert evidence.complete
    assert evidence.states.groupby("loss")["seed"].count().tolist() == [5, 5, 5, 5]


def test_the_same_command_again_trains_and_judges_nothing(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLOSE)
    lab.decide(study_of())
    before, jobs = lab.stages(study_of()), len(lab.jobs)

    def judge(block: Block, look: int, looks: Looks, margin: float) -> Stage:
        raise AssertionError("this was decided before")

    summary = lab.decide(study_of(), ways=Ways(judge=judge))
    assert (summary.trained, summary.reused, len(lab.jobs)) == (0, jobs, jobs)
    assert lab.stages(study_of()) == before


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(1, marks=pytest.mark.full),
        pytest.param(9, marks=pytest.mark.full),
        pytest.param(23, marks=pytest.mark.full),
        24,
        pytest.param(25, marks=pytest.mark.full),
        pytest.param(31, marks=pytest.mark.full),
    ],
)
def test_a_killed_driver_comes_to_the_same_end(
    database: Database, databases: Callable[[], Database], tmp_path: Path, after: int
) -> None:
    other = databases()
    whole = DecidingLab(other, tmp_path / "other", CLOSE)
    whole.decide(study_of())
    lab = lab_of(database, tmp_path, CLOSE)
    assert lab.killed_deciding(study_of(), after, workers=2)
    lab.decide(study_of())
    assert stages_without_time(database) == stages_without_time(other)
    assert lab.evidence(study_of()).digest == whole.evidence(study_of()).digest


def stages_without_time(database: Database) -> list[object]:
    return [replace(each, at=None) for each in read_stages(database, "demo")]


def test_a_second_driver_finds_what_the_first_has_decided(database: Database, tmp_path: Path) -> None:
    first, second = lab_of(database, tmp_path, CLOSE), lab_of(database, tmp_path, CLOSE)
    sources = second.stages_of(study_of(), 10, [], Ways())
    first.decide(study_of())
    stages = first.stages(study_of())
    (source,) = sources  # was opened before anything was decided
    given = []
    while planned := source.take():
        given.append(planned)
        source.report(planned, result_of(database, planned.trial.key))
    assert source.exhausted
    assert len(given) == len(first.jobs)
    assert source.stages == stages
    assert len(frames.looks(database, "demo")) == len(stages)


def result_of(database: Database, key: str) -> TrialResult:
    trials = frames.trials(database, "demo").set_index("key")
    return TrialResult(str(trials.loc[key, "state"]), 0.7)


def test_failed_trials_hold_a_look_up_until_they_are_tried_again(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, replace(CLEAR, broken=frozenset({("gdl", 1)})))
    summary = lab.decide(study_of())
    assert (summary.failed, summary.left) == (1, 0)
    assert lab.stages(study_of()) == []
    assert any("look 1 waits for 1 failed trials" in note for note in lab.notes)
    assert lab.decide(study_of()).failed == 1
    lab.world = CLEAR
    summary = lab.decide(study_of(), retry_failed=True)
    assert (summary.trained, summary.failed) == (1, 0)
    assert [each.outcome for each in lab.stages(study_of())] == ["decided"]


def test_too_few_patients_end_it_with_the_reason(database: Database, tmp_path: Path) -> None:
    def judge(block: Block, look: int, looks: Looks, margin: float) -> Stage:
        raise Unanswerable("an interval needs at least 5 patients (got 4)")

    lab = lab_of(database, tmp_path, CLEAR)
    lab.decide(study_of(), ways=Ways(judge=judge))
    (stage,) = lab.stages(study_of())
    assert (stage.outcome, stage.reason) == ("impossible", "an interval needs at least 5 patients (got 4)")


@pytest.mark.full
def test_losses_are_tuned_before_their_arms_are_screened(database: Database, tmp_path: Path) -> None:
    study = study_of(tuning={"losses": ["CE"], "configurations": 3})
    lab = lab_of(database, tmp_path, CLEAR)
    lab.decide(study, most=5)
    stages = lab.stages(study)
    assert set(stages[0].seeds) == {"CE", "CE (tuned)", "DICE", "GDL", "FOCAL"}
    assert stages[0].seeds["CE (tuned)"] == 3
    assert lab.evidence(study).complete
    jobs = len(lab.jobs)
    assert lab.decide(study, most=5).trained == 0
    assert len(lab.jobs) == jobs
    lab.close()


@pytest.mark.full
def test_the_number_of_trials_grows_with_the_looks(database: Database, tmp_path: Path) -> None:
    lab = lab_of(database, tmp_path, CLEAR)
    (source,) = lab.stages_of(study_of(), 10, [], Ways())
    assert source.expected == 12
    ways = judge_of(go_on((), CE=5), END)
    summary = lab.decide(study_of(), ways=ways, executor=Workers(lab.train, 3))
    assert (summary.trained, summary.left) == (14, 0)
