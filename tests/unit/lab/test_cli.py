"""`python -m lab`: what a person is told, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cli, home
from lab.home import Record, process_start


@pytest.fixture(autouse=True)
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing runs."""
    monkeypatch.setattr(home, "LABS", tmp_path / "labs")
    return tmp_path / "labs"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a lab's place: it ends when it is asked to."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def enter(number: int, pid: int, scenario: str = "healthy", **environment: str) -> Record:
    """Enter a running lab into the records."""
    folder = str(home.LABS / str(number))
    record = Record(
        number, pid, process_start(pid) or "1", scenario, folder, folder, environment=environment
    )
    record.folder.mkdir(parents=True)
    home.write_record(record)
    return record


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["down"], 1, "no lab runs; start one with 'python -m lab up'"),
        (["env"], 1, "no lab runs"),
        (["logs"], 1, "no lab runs"),
        (["down", "--lab", "33"], 1, "lab 33 does not run"),
        (["status"], 1, "no lab runs"),
        (["down", "--all"], 0, "no lab runs"),
        (
            ["up", "--scenario", "nope"],
            1,
            "there is no scenario 'nope'; there are: healthy, incident-2025-08-06",
        ),
    ],
)
def test_what_does_not_run_is_told(
    arguments: list[str], code: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == code
    said = capfd.readouterr().err
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", ["5", "251", "x", "-1", "³"])
def test_a_number_that_no_lab_can_have_is_a_usage_error(
    number: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", f"--lab={number}"])
    assert ended.value.code == 2
    assert f"a lab has a number from 20 to 250, not '{number}'" in capfd.readouterr().err


def test_a_number_in_use_is_told_with_its_address(capfd: pytest.CaptureFixture[str]) -> None:
    network, listener = home.claim(None)
    with listener:
        assert cli.main(["up", "--lab", str(network.number)]) == 1
    told = f"lab number {network.number} is in use: {network.control_plane} is taken"
    assert told in capfd.readouterr().err


def test_the_only_lab_need_not_be_named(capfd: pytest.CaptureFixture[str]) -> None:
    enter(30, os.getpid(), AWS_REGION="us-east-1", WITH_A_SPACE="a b")
    assert cli.main(["env"]) == 0
    exports = "export AWS_REGION=us-east-1\nexport WITH_A_SPACE='a b'\n"
    assert capfd.readouterr().out == exports
    assert cli.main(["env", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["WITH_A_SPACE"] == "a b"


def test_of_several_labs_one_has_to_be_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    enter(30, os.getpid(), A="1")
    enter(31, os.getpid(), A="2")
    assert cli.main(["env"]) == 1
    assert "several labs run (30, 31); choose one with --lab" in capfd.readouterr().err
    assert cli.main(["env", "--lab", "31"]) == 0
    assert capfd.readouterr().out == "export A=2\n"


def test_down_waits_until_the_lab_has_ended(
    sleeper: subprocess.Popen[bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    enter(30, sleeper.pid)
    assert cli.main(["down"]) == 0
    assert sleeper.poll() is not None or process_start(sleeper.pid) == ""
    assert "lab 30 has ended" in capfd.readouterr().err
    assert home.running() == []


def test_what_a_killed_lab_has_left_is_removed_when_somebody_looks(
    sleeper: subprocess.Popen[bytes],
) -> None:
    record = enter(30, sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert home.running() == []
    assert not record.folder.exists()


def test_the_end_of_a_parts_log_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    record = enter(30, os.getpid())
    (record.folder / "postgres.log").write_text("1\n2\n3\n")
    (record.folder / "lab.log").write_text("x\n")
    assert cli.main(["logs", "postgres", "--lines", "2"]) == 0
    said = capfd.readouterr().out
    assert "postgres.log <==\n2\n3\n" in said
    assert "x" not in said.splitlines()


def test_a_lab_that_does_not_answer_is_told_in_its_status(
    capfd: pytest.CaptureFixture[str],
) -> None:
    enter(30, os.getpid())
    assert cli.main(["status"]) == 0
    said = capfd.readouterr().out
    assert "lab 30: healthy, process" in said
    assert "lab 30 does not run" in said
