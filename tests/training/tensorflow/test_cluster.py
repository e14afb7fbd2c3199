"""Processes on the loopback address that train together come to what one comes to, and end together."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from archbuilder.errors import UsageError
from archbuilder.training.processes import require_alone
from archbuilder.training.run.folder import Run
from archbuilder.training.tensorflow.cluster import find_cluster, size
from tests.faults.nursery import Ended, Nursery
from tests.processes import wait_for
from tests.training.tensorflow.test_distribution import SHORT, SYNCHRONISED, alone, assert_near

LONG = [*SHORT, "training.stop.epochs=2000"]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Nursery]]:
    """One for the chief and one for another process."""
    running = [Nursery(tmp_path_factory.mktemp("nursery")) for _ in range(2)]
    yield running
    for nursery in running:
        nursery.close()


@contextmanager
def two_processes(nurseries: list[Nursery], *arguments: str | Path) -> Iterator[list[int]]:
    """The ids of the chief and another one."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    try:
        for index, nursery in enumerate(nurseries):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            before = f"import os; os.environ['TF_CONFIG'] = {json.dumps(config)!r}"
            started.append(nursery.start("train", *arguments, before=before))
        yield started
    except BaseException:
        for process in started:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        raise


def ends(nurseries: list[Nursery]) -> list[Ended]:
    return [nursery.wait() for nursery in nurseries]


def edits(of: list[str]) -> list[str]:
    return [argument for edit in of for argument in ("--set", edit)]


def wait_for_checkpoint(folder: Path, but: str = "") -> None:
    """Until there is a newer one."""
    wait_for(lambda: any(path.name > but for path in folder.glob("checkpoints/iteration-*")))


def test_two_processes_do_what_one_does(nurseries: list[Nursery], tiny: Path, tmp_path: Path) -> None:
    with two_processes(nurseries, tiny, "--out", tmp_path / "two", *edits(SYNCHRONISED)):
        chief, other = ends(nurseries)
    assert (chief.code, other.code) == (0, 0)
    assert "epoch 2/2" in chief.out
    assert "epoch" not in other.out
    run = Run(tmp_path / "two")
    assert run.environment["replicas"] == 2
    assert_near(run, alone(tiny, "synchronised", tmp_path / "one"))


def test_processes_end_together(nurseries: list[Nursery], tiny: Path, tmp_path: Path) -> None:
    """A signal to one of them stops all with a checkpoint; when the chief is killed, the other one ends, too."""
    with two_processes(nurseries, tiny, "--out", tmp_path, *edits(LONG)) as processes:
        wait_for_checkpoint(tmp_path)
        os.kill(processes[1], signal.SIGTERM)
        ended = ends(nurseries)
    assert [one.code for one in ended] == [143, 143]
    errors = [one.err.splitlines()[-1] for one in ended]
    assert errors[0] == errors[1]
    newest = Run(tmp_path).checkpoints(2).paths()[-1].name
    assert f"stopped after iteration {int(newest.removeprefix('iteration-')):,} of" in errors[0]

    with two_processes(nurseries, "--resume", tmp_path) as processes:
        wait_for_checkpoint(tmp_path, but=newest)
        os.kill(processes[0], signal.SIGKILL)
        _, other = ends(nurseries)
    assert other.code == 1
    assert other.err.splitlines()[-1].startswith("error: another process of this training has ended")
    checkpoint = Run(tmp_path).checkpoints(2).latest(pytest.fail)
    assert checkpoint is not None
    assert f"iteration-{checkpoint.iteration:08d}" > newest


def test_the_hosts_of_a_slurm_step_are_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"STEP_NUM_TASKS": "3", "PROCID": "1", "STEP_NODELIST": "node[07-08]", "STEP_TASKS_PER_NODE": "2,1"}
    for name, value in step.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    cluster = find_cluster()
    assert cluster is not None
    assert cluster.cluster_spec().as_dict() == {"worker": ["node07:8888", "node07:8889", "node08:8888"]}
    assert (cluster.task_type, cluster.task_id) == ("worker", 1)
    with pytest.raises(UsageError, match="several processes train one run"):
        require_alone()
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(UsageError, match="SLURM_STEP_NODELIST"):
        find_cluster()


TWO = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("config", "processes"),
    [
        ({"cluster": TWO, "task": {"type": "worker", "index": 1}}, 2),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, None),
        ({"cluster": TWO, "task": {"type": "worker", "index": 2}}, "No task with index 2"),
        ({"cluster": TWO}, "No such job"),
        ({"cluster": 3}, "`cluster` must be a dictionary"),
    ],
)
def test_tf_config_names_a_cluster_and_a_task(
    config: object, processes: int | str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    if isinstance(processes, str):
        with pytest.raises(UsageError, match=processes):
            find_cluster()
    else:
        cluster = find_cluster()
        assert (cluster and size(cluster)) == processes
