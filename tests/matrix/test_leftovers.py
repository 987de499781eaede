"""Nothing is left behind, however a run or a lab ends; labs do not meet each other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.matrix.leftovers import Running, Scene, copy_of_the_checkout
from tests.matrix.leftovers import scene as scene_in

REPRODUCE = ("--scenario", "incident-2025-08-06", "--expect", "reproduced", "--tb", "no")
# Whoever pressed Ctrl-C does not wait longer; on a busy machine.
PATIENCE = 12.0
MOMENTS = ("control plane", "platform", "network", "database")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_checkout(tmp_path_factory.mktemp("leftovers"))


@pytest.fixture
def scene(checkout: Path) -> Iterator[Scene]:
    with scene_in(checkout) as made:
        yield made


def suite(scene: Scene, *arguments: str) -> Running:
    return scene.begin("harness", "test", "--env", "local", *arguments)


def a_run_under_way(scene: Scene) -> Running:
    """The suite on the incident, at the moment when its first check is done."""
    running = suite(scene, "--scenario", "incident-2025-08-06", "-v", "--tb", "no")
    running.wait_until_it_says("FAILED")
    return running


def test_the_main_job_leaves_nothing(scene: Scene) -> None:
    running = suite(scene, *REPRODUCE)
    running.wait_until_it_says("lab: ")
    assert running.wait() == 0, running.said
    assert "8 of 8 documented failures reproduced" in running.said
    assert scene.leftovers() == []


def test_a_lab_that_is_taken_down_leaves_nothing(scene: Scene) -> None:
    code, said = scene.run("lab", "up")
    assert code == 0, said
    assert scene.processes()
    code, said = scene.run("lab", "down")
    assert (code, "has ended" in said) == (0, True), said
    assert scene.leftovers() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_the_lab_starts(scene: Scene, moment: str) -> None:
    running = suite(scene)
    running.wait_until_it_says(moment)
    running.interrupt()
    assert running.wait(PATIENCE) == 2, running.said
    assert "Traceback" not in running.said
    assert "interrupted while the lab was starting" in running.said
    assert scene.leftovers() == []


def test_ctrl_c_before_the_lab_has_said_anything(scene: Scene) -> None:
    running = suite(scene)
    running.wait_until_there_is(".lab/labs/*/lab.json")
    running.interrupt()
    assert running.wait(PATIENCE) == 2, running.said
    assert "Traceback" not in running.said
    assert scene.leftovers() == []


def test_ctrl_c_in_the_middle_of_a_run(scene: Scene) -> None:
    running = a_run_under_way(scene)
    running.interrupt()
    assert running.wait(PATIENCE) == 2, running.said
    assert scene.leftovers() == []


def test_an_impatient_ctrl_c(scene: Scene) -> None:
    running = a_run_under_way(scene)
    running.interrupt()
    running.interrupt()
    assert running.wait(PATIENCE) != 0
    assert scene.leftovers() == []


def test_ctrl_c_while_a_lab_in_the_background_starts(scene: Scene) -> None:
    running = scene.begin("lab", "up")
    running.wait_until_it_says("platform")
    running.interrupt()
    assert running.wait(PATIENCE) == 130, running.said
    assert "Traceback" not in running.said
    assert scene.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_lab_in_the_foreground_ends_with_its_terminal(scene: Scene, number: int) -> None:
    running = scene.begin("lab", "run")
    running.wait_until_it_says("Ctrl-C ends it")
    os.killpg(running.process.pid, number)
    assert running.wait() in (0, -number), running.said
    assert "Traceback" not in running.said
    assert scene.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed(scene: Scene, number: int) -> None:
    running = a_run_under_way(scene)
    running.process.send_signal(number)
    running.wait()
    assert scene.leftovers() == []


def test_a_run_that_is_killed_while_the_lab_starts(scene: Scene) -> None:
    running = suite(scene)
    running.wait_until_it_says("control plane")
    running.process.kill()
    running.wait()
    assert scene.leftovers() == []


def test_a_lab_that_is_killed_takes_its_parts_along(scene: Scene) -> None:
    """Its folder stays, with its log, until the next command sees that nobody lives there."""
    code, said = scene.run("lab", "up")
    assert code == 0, said
    (record,) = scene.checkout.glob(".lab/labs/*/lab.json")
    os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
    code, said = scene.run("lab", "status")
    assert (code, "no lab runs" in said) == (1, True), said
    assert scene.leftovers() == []


def test_two_labs_beside_each_other(scene: Scene) -> None:
    for _ in range(2):
        code, said = scene.run("lab", "up")
        assert code == 0, said
    first, second = scene.numbers()
    endpoints = set()
    for number in (first, second):
        code, said = scene.run("lab", "env", "--json", "--lab", str(number))
        endpoints.add(json.loads(said)["AWS_ENDPOINT_URL"])
        code, said = scene.run(
            *("lab", "exec", "--lab", str(number), "api", "--"),
            *("curl", "-sS", "-m", "5", "http://mlflow.hokusai.local:5000/health"),
        )
        assert (code, said) == (0, "OK")
    assert len(endpoints) == 2
    code, said = scene.run("lab", "env")
    assert code == 1
    assert f"several labs run ({first}, {second}); choose one with --lab" in said
    code, said = scene.run("lab", "down", "--lab", str(first))
    assert code == 0, said
    code, said = scene.run("lab", "exec", "--lab", str(second), "api", "--", "true")
    assert code == 0, said
    assert scene.run("lab", "down", "--all")[0] == 0
    assert scene.leftovers() == []
