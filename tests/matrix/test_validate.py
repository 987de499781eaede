"""From the incident to a mended platform: validate, mend as printed, validate again.

One lab, in the order of the file: judged, replayed, mended by the commands that the suite prints.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import session
from lab.home import ROOT
from tests.matrix.judging import Judged, judge, judge_until_green
from tests.matrix.pasting import paste
from tests.matrix.test_by_hand import DOCUMENTED, Variables

# A plugin for the replay: whoever opens a connection fails.
_NO_SOCKETS = """
import socket

def refuse(*_arguments, **_options):
    raise AssertionError("a replay opened a connection")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Variables]:
    with session.start("incident-2025-08-06") as started:
        yield started.environment


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def incident(lab: Variables, reports: Path) -> Judged:
    """What the suite says of the incident."""
    return judge(lab, reports)


def validate(failure: str, lab: Variables, reports: Path) -> Judged:
    return judge(lab, reports, "--validate", failure, "--tb=no")


@pytest.mark.parametrize("failure", sorted(DOCUMENTED))
def test_before_it_is_mended_a_failure_is_still_there(
    failure: str, incident: Judged, lab: Variables, reports: Path
) -> None:
    seen = validate(failure, lab, reports)
    assert seen.exit_code == 1
    assert f"STILL THERE: {failure}: with the same signature: " in seen.output
    assert list(seen.verdicts) == [failure]


def test_a_replay_says_the_same_without_any_network(
    incident: Judged, reports: Path, tmp_path: Path
) -> None:
    (tmp_path / "no_sockets.py").write_text(_NO_SOCKETS)
    record = reports / "local" / incident.document["run"] / "observations.jsonl"
    command = [sys.executable, "-m", "pytest", "-p", "no_sockets", "--env", "local"]
    done = subprocess.run(
        [*command, f"--replay={record}", f"--reports={tmp_path}"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == incident.exit_code, done.stdout + done.stderr
    again = json.loads((tmp_path / "local" / "latest" / "run.json").read_text())
    for part in ("verdicts", "root_causes", "unexplained", "unknown"):
        assert json.dumps(again[part]) == json.dumps(incident.document[part])


def test_the_printed_commands_mend_everything(
    incident: Judged, lab: Variables, reports: Path, tmp_path: Path
) -> None:
    for cause in incident.document["root_causes"]:
        for command in cause["finding"]["mend"]:
            paste(command, lab, tmp_path)
    mended = judge_until_green(lab, reports)
    assert mended.failed == {}
    assert set(mended.verdicts.values()) == {"fixed"}


@pytest.mark.parametrize("failure", sorted(DOCUMENTED))
def test_after_that_it_is_fixed(failure: str, lab: Variables, reports: Path) -> None:
    seen = validate(failure, lab, reports)
    assert seen.exit_code == 0
    assert f"FIXED: {failure}: " in seen.output
