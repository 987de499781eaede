"""--wait: judged again until it is fixed, and no longer than that makes sense."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from harness.plugin import validate

STILL = "STILL THERE: ssl-tls: with the same signature: x\n"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What the runs to come answer: exit code and output."""
    answers: list[tuple[int, str]] = []

    def run(command: list[str], **_given: Any) -> subprocess.CompletedProcess[str]:
        assert "--wait" not in command
        assert "15m" not in command
        code, output = answers.pop(0)
        return subprocess.CompletedProcess(command, code, output, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(validate, "_PAUSE_S", 0.0)
    return answers


def wait(seconds: float = 900.0) -> int:
    return validate.wait_until_fixed(
        ["--env", "x", "--validate", "ssl-tls", "--wait", "15m"], seconds
    )


def test_each_attempt_is_told_until_it_is_fixed(
    runs: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    runs += [(1, STILL), (4, "NOT JUDGED: ssl-tls: no way in\n"), (0, "FIXED: ssl-tls: all\n")]
    assert wait() == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in told[:2]] == [
        STILL.strip(),
        "NOT JUDGED: ssl-tls: no way in",
    ]
    assert told[-1] == "FIXED: ssl-tls: all"


def test_what_is_never_judged_is_not_asked_again(runs: list[tuple[int, str]]) -> None:
    runs += [(4, "ERROR: HOKUSAI_API_KEY is missing\n"), (0, "")]
    assert wait() == 4
    assert len(runs) == 1


def test_after_the_time_it_is_still_there(runs: list[tuple[int, str]]) -> None:
    runs += [(1, STILL), (1, STILL)]
    assert wait(seconds=0.0) == 1
    assert len(runs) == 1
