"""Labs started from another program, and how a lab's own process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import home, session
from lab.home import LabError
from tests.unit.lab.test_cli import enter

# What the signal raises is lost the first time, as in a finaliser.
LOSES_THE_SIGNAL = """
import contextlib, os, signal, sys
from lab import supervisor
with contextlib.suppress(supervisor.Stopped), supervisor._asked_to_end():
    try:
        print("ready", flush=True)
        signal.pause()
    except BaseException:
        print("lost", flush=True)
    signal.pause()
os.kill(os.getpid(), signal.SIGTERM)
print("ended", flush=True)
"""


@pytest.fixture(autouse=True)
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "LABS", tmp_path / "labs")


def test_a_running_lab_is_found_if_it_is_ready_and_the_only_one() -> None:
    assert session.find() is None
    enter(30, os.getpid())
    assert session.find() is None  # it has no environment yet: it is starting
    enter(31, os.getpid(), AWS_REGION="us-east-1")
    found = session.find()
    assert found is not None
    assert found.number == 31
    enter(32, os.getpid(), AWS_REGION="us-east-1")
    assert session.find() is None
    assert session.find(32) is not None


def test_a_lab_that_cannot_start_says_why_in_one_line() -> None:
    with pytest.raises(LabError, match="there is no scenario 'nope'") as told:
        session.start("nope")
    assert "\n" not in str(told.value)


def test_nothing_of_the_callers_settings_leads_the_lab_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_PROFILE", "HOKUSAI_REGISTRY_URL", "PGHOST", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "elsewhere")
    for name in ("https_proxy", "HTTP_PROXY", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "x")
    assert [v for v in session._inherited().values() if v in ("elsewhere", "x")] == []


def test_a_lab_is_reminded_when_a_signal_was_lost() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOSES_THE_SIGNAL],
        cwd=home.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        # The last line comes after one more signal, which is ignored by then.
        assert process.stdout.read() == "lost\nended\n"
    assert process.returncode == 0
