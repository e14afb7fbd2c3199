"""Processes on the loopback address that train together come to what one comes to, and end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archbuilder.errors import UsageError
from archbuilder.training.processes import require_alone
from archbuilder.training.run.folder import Run
from archbuilder.training.tensorflow.cluster import find_cluster, size
from tests.processes import printed_by, wait_for
from tests.training.tensorflow.test_distribution import SHORT, SYNCHRONISED, alone, assert_near

LONG = [*SHORT, "training.stop.epochs=2000"]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def two_processes(*arguments: str | Path) -> Iterator[list[subprocess.Popen[str]]]:
    """The chief and another one."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    try:
        for index in range(2):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "archbuilder", "train", *map(str, arguments)], text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TF_CONFIG": json.dumps(config)},
                )
            )  # fmt: skip
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def edits(of: list[str]) -> list[str]:
    return [argument for edit in of for argument in ("--set", edit)]


def wait_for_checkpoint(folder: Path, but: str = "") -> None:
    """Until there is a newer one."""
    wait_for(lambda: any(path.name > but for path in folder.glob("checkpoints/iteration-*")))


def test_two_processes_do_what_one_does(tiny: Path, tmp_path: Path) -> None:
    with two_processes(tiny, "--out", tmp_path / "two", *edits(SYNCHRONISED)) as processes:
        (said, _), (said_by_the_other, _) = map(printed_by, processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert "epoch 2/2" in said
    assert "epoch" not in said_by_the_other
    run = Run(tmp_path / "two")
    assert run.environment["replicas"] == 2
    assert_near(run, alone(tiny, "synchronised", tmp_path / "one"))


def test_processes_end_together(tiny: Path, tmp_path: Path) -> None:
    """A signal to one of them stops all with a checkpoint; when the chief is killed, the other one ends, too."""
    with two_processes(tiny, "--out", tmp_path, *edits(LONG)) as processes:
        wait_for_checkpoint(tmp_path)
        processes[1].send_signal(signal.SIGTERM)
        errors = [printed_by(process)[1].splitlines()[-1] for process in processes]
    assert [process.returncode for process in processes] == [143, 143]
    assert errors[0] == errors[1]
    newest = Run(tmp_path).checkpoints(2).paths()[-1].name
    assert f"stopped after iteration {int(newest.removeprefix('iteration-')):,} of" in errors[0]

    with two_processes("--resume", tmp_path) as processes:
        wait_for_checkpoint(tmp_path, but=newest)
        processes[0].kill()
        error = printed_by(processes[1])[1].splitlines()[-1]
    assert processes[1].returncode == 1
    assert error.startswith("error: another process of this training has ended")
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
