"""What nodes that share nothing are sent, what they send back, and which are refused."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.data.prepared import PreparedDataset, open_prepared
from harness.errors import InputError
from harness.scheduling.attempt import Ended
from harness.scheduling.cluster import parcel as parcels
from harness.scheduling.cluster.delivery import Deliveries
from harness.scheduling.cluster.parcel import Damaged, Parcel, deliver, pack, unpack
from harness.scheduling.cluster.scout import (
    CACHE_VARIABLE,
    Question,
    contents_of,
    delivered_to,
    node_cache,
    scout,
)
from harness.scheduling.cluster.scratch import scratch_folder, sending_back, write_kept
from harness.scheduling.executor import Kept
from harness.training.job import EpochRecord, Finished, TrainingJob
from tests.scheduling.cluster.nodes import ENVIRONMENT, Node, cluster, why_not

ROOT = Path(__file__).resolve().parents[3]
NODE = "0f" * 28


def job_on(prepared: Path, folder: Path) -> TrainingJob:
    """A job of which only the folders are looked at."""
    nothing: Any = None
    return TrainingJob("a" * 64, prepared, nothing, 0, 0, nothing, "unet2d", {}, nothing, True, folder)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def packed(folder: Path, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    """A parcel whose references are the chunks themselves."""
    monkeypatch.setattr(parcels, "CHUNK_BYTES", chunk_bytes)
    contents = contents_of(folder)
    assert contents is not None
    return pack(folder, contents, np.copy, lambda: True)


@pytest.fixture
def dataset(prepared_discs: PreparedDataset, tmp_path: Path) -> Path:
    """A prepared dataset of its own, as preparing left it."""
    folder = tmp_path / "home" / "prepared" / prepared_discs.folder.name
    kinds = ("index.json", "*-images.npy", "*-labels.npy", "*-truth.npy")
    folder.mkdir(parents=True)
    for kind in kinds:
        for path in prepared_discs.folder.glob(kind):
            shutil.copy(path, folder)
    return folder


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this machine as a node; chunks come without Ray."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("ray.get", lambda chunk: chunk)
    return tmp_path / "cache"


class TestParcel:
    @pytest.mark.parametrize("chunk_bytes", [1_000, 12_345, 10**8])
    def test_every_file_that_preparing_wrote_arrives_as_it_was(
        self, dataset, tmp_path, chunk_bytes, monkeypatch
    ):
        parcel = packed(dataset, chunk_bytes, monkeypatch)
        (tmp_path / "arrived").mkdir()
        unpack(parcel, iter(parcel.chunks), tmp_path / "arrived")
        assert files_in(tmp_path / "arrived") == files_in(dataset)
        assert all(len(chunk) <= chunk_bytes for chunk in parcel.chunks)

    def test_arrays_that_follow_from_others_are_not_sent(self, dataset, monkeypatch):
        before, fresh = contents_of(dataset), files_in(dataset).keys()
        prepared = open_prepared(dataset)
        prepared.derived(prepared.cases[0], "distance_maps")
        assert contents_of(dataset) == before
        assert {file.name for file in packed(dataset, 10**6, monkeypatch).files} == fresh

    def test_a_changed_chunk_is_noticed(self, dataset, tmp_path, monkeypatch):
        parcel = packed(dataset, 5_000, monkeypatch)
        parcel.chunks[3][17] ^= 1
        with pytest.raises(Damaged, match="as it was sent"):
            unpack(parcel, iter(parcel.chunks), tmp_path)

    def test_a_missing_chunk_is_noticed(self, dataset, tmp_path, monkeypatch):
        parcel = packed(dataset, 5_000, monkeypatch)
        with pytest.raises(Damaged, match="whole"):
            unpack(parcel, iter(parcel.chunks[:-1]), tmp_path)

    def test_a_dataset_is_written_once_although_many_ask(self, dataset, cache_folder, monkeypatch):
        parcel, fetched = packed(dataset, 5_000, monkeypatch), []
        monkeypatch.setattr("ray.get", lambda chunk: fetched.append(1) or chunk)
        threads = [threading.Thread(target=deliver, args=[parcel]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fetched) == len(parcel.chunks)
        assert files_in(deliver(parcel)) == files_in(dataset)

    def test_what_a_killed_delivery_left_and_a_damaged_copy_are_replaced(
        self, dataset, cache_folder, monkeypatch
    ):
        parcel = packed(dataset, 5_000, monkeypatch)
        target = delivered_to(cache_folder, parcel.contents)
        target.with_suffix(".partial").mkdir(parents=True)
        (target.with_suffix(".partial") / "half.npy").write_bytes(b"1")
        deliver(parcel)
        (target / "00000-images.npy").unlink()
        assert files_in(deliver(parcel)) == files_in(dataset)
        assert [path.name for path in target.parent.iterdir() if path.is_dir()] == [target.name]

    def test_a_full_disk_is_told_with_a_remedy(self, dataset, cache_folder, monkeypatch):
        parcel = packed(dataset, 5_000, monkeypatch)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
        with pytest.raises(InputError, match=rf"0\.00 GB are free.*{CACHE_VARIABLE}"):
            deliver(parcel)


class TestScout:
    @pytest.fixture
    def question(self, dataset, tmp_path) -> Question:
        contents = contents_of(dataset)
        assert contents is not None
        artifacts = tmp_path / "home" / "artifacts"
        artifacts.mkdir()
        (artifacts / ".token").write_text("of this run")
        return Question("of this run", artifacts / ".token", {dataset: contents})

    def test_shared_folders_are_seen_and_left_as_they_are(self, question, dataset, cache_folder):
        facts = scout(question)
        assert facts.shares_artifacts
        assert facts.datasets == {dataset: dataset}
        assert [path.name for path in question.token_file.parent.iterdir()] == [".token"]

    def test_a_copy_of_the_home_folder_is_not_taken_for_the_home_folder(self, question, cache_folder):
        question.token_file.write_text("of an earlier run")
        assert not scout(question).shares_artifacts

    def test_a_dataset_of_another_preparation_is_not_taken(self, question, dataset, cache_folder):
        index = json.loads((dataset / "index.json").read_text())
        (dataset / "index.json").write_text(json.dumps(index | {"fingerprint": "0" * 64}))
        assert scout(question).datasets == {}

    def test_a_dataset_that_is_not_whole_is_not_taken(self, question, dataset, cache_folder):
        path = dataset / "00001-labels.npy"
        path.write_bytes(path.read_bytes()[:-1])
        assert scout(question).datasets == {}

    def test_what_was_delivered_in_an_earlier_run_is_found(
        self, question, dataset, cache_folder, monkeypatch
    ):
        delivered = deliver(packed(dataset, 10**6, monkeypatch))
        shutil.rmtree(dataset)
        assert scout(question).datasets == {dataset: delivered}

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders away")
    def test_a_cache_that_somebody_else_has_put_there_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.delenv(CACHE_VARIABLE, raising=False)
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        assert node_cache().stat().st_mode & 0o077 == 0
        os.chown(node_cache(), 12345, -1)
        with pytest.raises(InputError, match=f"belongs to another user; set {CACHE_VARIABLE}"):
            node_cache()


def finished(**artifacts: str) -> Finished:
    return Finished("done", None, None, False, 0, 0.5, (), (), artifacts, "cpu", 1.0)


class TestSendingBack:
    def training(self, job: TrainingJob, seen: list[str]) -> Iterator[Any]:
        """Write a checkpoint, then a file that the result names."""
        try:
            (job.folder / "checkpoint.pt").write_bytes(b"weights")
            yield EpochRecord(0, 1.0, 0.5, 0.1, None, None, 1.0)
            (job.folder / "predictions.npz").write_bytes(b"masks")
            yield finished(predictions="predictions.npz")
        finally:
            seen.append("closed")

    def test_files_come_before_the_result_that_names_them(self, tmp_path):
        job = job_on(tmp_path, scratch_folder(tmp_path, "driver", Path("/elsewhere/abc")))
        messages = list(sending_back(job, self.training(job, [])))
        assert messages[1] == Kept({"predictions.npz": b"masks"})
        assert [type(each).__name__ for each in messages] == ["EpochRecord", "Kept", "Finished"]
        assert not job.folder.exists()

    def test_an_interrupted_trial_finds_its_checkpoint_there_again(self, tmp_path):
        job = job_on(tmp_path, scratch_folder(tmp_path, "driver", Path("/elsewhere/abc")))
        seen: list[str] = []
        events: Any = sending_back(job, self.training(job, seen))
        next(events)
        events.close()
        assert seen == ["closed"]
        assert files_in(job.folder) == {"checkpoint.pt": b"weights"}

    def test_a_trial_that_is_ended_early_leaves_nothing_there(self, tmp_path):
        job = job_on(tmp_path, scratch_folder(tmp_path, "driver", Path("/elsewhere/abc")))
        events: Any = sending_back(job, self.training(job, []))
        next(events)
        with pytest.raises(Ended):
            events.throw(Ended())
        assert not job.folder.exists()

    def test_nothing_is_sent_where_the_folder_is_shared(self, tmp_path):
        messages = list(
            sending_back(job_on(tmp_path, tmp_path), self.training(job_on(tmp_path, tmp_path), []))
        )
        assert [type(each).__name__ for each in messages] == ["EpochRecord", "Finished"]
        assert len(files_in(tmp_path)) == 2

    def test_the_driver_writes_whole_files_over_older_ones(self, tmp_path):
        write_kept(tmp_path / "abc", Kept({"model.pt": b"old"}))
        write_kept(tmp_path / "abc", Kept({"model.pt": b"new", "predictions.npz": b"masks"}))
        assert files_in(tmp_path / "abc") == {"model.pt": b"new", "predictions.npz": b"masks"}

    @pytest.mark.parametrize("name", ["../model.pt", "/etc/model.pt", "a/b", "..\\model.pt", "..", ""])
    def test_a_name_that_leads_elsewhere_is_refused(self, tmp_path, name):
        with pytest.raises(InputError, match="no plain file name"):
            write_kept(tmp_path / "abc", Kept({"fine.npz": b"", name: b""}))
        assert not (tmp_path / "abc").exists()


# What a driver does on a real cluster; run in a process of its own, since Ray's settings stick to a process.


def answers(address: str, dataset: Path, artifacts: Path) -> dict[str, Any]:
    """Return, by address of the node, its problem or where a job would run there, and the news."""
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    deliveries = Deliveries(ray, {"fingerprint": dataset}, artifacts)
    job = job_on(dataset, artifacts / "abc")
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    found: dict[str, Any] = {}
    news, deadline = [], time.monotonic() + 60
    while len(found) < len(nodes) and time.monotonic() < deadline:
        for node in nodes.keys() - {node for node in nodes if nodes[node] in found}:
            there = deliveries.localised(job, node)
            if there is not None or deliveries.problem(node) is not None:
                found[nodes[node]] = deliveries.problem(node) or (str(there.prepared), str(there.folder))
        ray.wait(deliveries.pending(), timeout=0.05) if deliveries.pending() else time.sleep(0.05)
        news += deliveries.news()
    deliveries.close()
    ray.shutdown()
    return found | {"news": news, "left": sorted(path.name for path in artifacts.iterdir())}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Call :func:`answers` in a process of its own."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda *arguments: pool.submit(answers, *arguments).result(timeout=90)


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.skipif(why_not() is not None, reason=f"nodes cannot be kept apart: {why_not()}")
def test_nodes_are_sent_what_they_lack_once_and_wrong_ones_are_refused_in_a_sentence(
    dataset, tmp_path, asked
):
    changed, hidden = tmp_path / "changed", [tmp_path, ROOT.parent / "shared"]
    shutil.copytree(ROOT / "harness", changed, ignore=shutil.ignore_patterns("__pycache__"))
    with (changed / "errors.py").open("a") as file:
        file.write("# changed\n")
    artifacts = tmp_path / "home" / "artifacts"
    with cluster(tmp_path / "nodes") as nodes:
        good: list[Node] = [nodes.add(hidden), nodes.add(hidden)]
        other_code = nodes.add(hidden, replaced={ROOT / "harness": changed})
        small = nodes.add(hidden, cache_size="1m")
        bare = nodes.add([*hidden, ROOT / "harness"])
        found = asked(nodes.address, dataset, artifacts)
        again = asked(nodes.address, dataset, artifacts)
        for node in good:
            prepared, folder = found[node.address]
            assert files_in(node.cache / Path(prepared).relative_to("/mnt/cache")) == files_in(dataset)
            assert Path(folder).is_relative_to("/mnt/cache")
        assert found[nodes.started[0].address] == (str(dataset), str(artifacts / "abc"))
    assert "other code under the same version" in found[other_code.address]
    assert "0.00 GB are free" in found[small.address]
    assert "No module named 'harness" in found[bare.address]
    assert all("\n" not in found[node.address] for node in (other_code, small, bare))
    sent = [line for line in found["news"] if line.startswith("sending")]
    assert len([line for line in found["news"] if line.startswith("packing")]) == 1
    assert sorted(line.split()[-1] for line in sent) == [node.address for node in (*good, small)]
    assert [again[node.address] for node in good] == [found[node.address] for node in good]
    assert not any(line.startswith("sending") and good[0].address in line for line in again["news"])
    assert found["left"] == []


def test_a_lost_task_is_tried_again_and_then_the_node_is_refused(dataset, tmp_path):
    started: list[str] = []

    class LosesTasks:
        """A cluster on whose only node every process dies."""

        def remote(self, **_: object) -> Any:
            return lambda function: SimpleNamespace(
                options=lambda **_: SimpleNamespace(remote=started.append)
            )

        def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
            return references, []

        def get(self, _: object) -> Any:
            raise ConnectionError("the worker died")

        def nodes(self) -> list[dict[str, str]]:
            return [{"NodeID": NODE, "NodeManagerAddress": "10.0.0.7"}]

    deliveries = Deliveries(LosesTasks(), {"fingerprint": dataset}, tmp_path / "artifacts")
    told = [deliveries.problem(NODE) for _ in range(4)]
    assert told[:2] == [None, None]
    assert told[3] is not None
    assert "node 10.0.0.7 does not run lossbench: the worker died" in told[3]
    deliveries.forget(NODE)
    assert deliveries.problem(NODE) == told[3]
    assert len(started) == 3
