"""The bench's job is the same work for whoever does it, and says truly which checks fail."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import command, report, scale, sections
from benchmarks.command import Command
from benchmarks.contestants import plugins
from benchmarks.contestants.plain import prepare as plain
from benchmarks.contestants.suite import prepare as suite
from benchmarks.job import Job

UNANSWERED = {"http-1", "tls-1", "dns-1", "postgres-1"}


def prepared(folder: Path, name: str, job: Job, *, fails: bool) -> Command:
    place = folder / name
    place.mkdir()
    if name == "suite":
        return suite.prepare(place, job, fails=fails)
    return plain.prepare(place, job, fails=fails)


def failed(junit: Path) -> tuple[int, set[str]]:
    """Return how many checks there were, and the targets of those that failed."""
    cases = list(ElementTree.parse(junit).iter("testcase"))
    bad = [case.get("name", "") for case in cases if case.find("failure") is not None]
    return len(cases), {name.partition("[")[2].rstrip("]") for name in bad}


@pytest.mark.parametrize("contestant", ["suite", "plain"])
def test_forty_checks_pass_where_every_target_answers(tmp_path: Path, contestant: str) -> None:
    with sections.served("50 ms", tmp_path) as job:
        run = prepared(tmp_path, contestant, job, fails=False)
        assert command.timed(run).wall_s > 0.05
    [junit] = (tmp_path / contestant).rglob("junit.xml")
    assert failed(junit) == (40, set())


@pytest.mark.parametrize("contestant", ["suite", "plain"])
def test_exactly_those_fail_that_are_never_answered(tmp_path: Path, contestant: str) -> None:
    with sections.served("never", tmp_path) as job:
        command.timed(prepared(tmp_path, contestant, job, fails=True))
    [junit] = (tmp_path / contestant).rglob("junit.xml")
    assert failed(junit) == (40, UNANSWERED)


@pytest.mark.skipif(bool(plugins.missing()), reason="the monitoring plugins are not installed")
def test_the_monitoring_plugins_do_the_same_job(tmp_path: Path) -> None:
    with sections.served("1 ms", tmp_path) as job:
        command.timed(plugins.prepare(tmp_path, job, fails=False))


def test_a_command_that_did_not_do_its_work_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(command.Failed, match="exit code 3"):
        command.timed(Command(["sh", "-c", "echo no; exit 3"], tmp_path))


def test_the_memory_that_a_command_takes_is_seen(tmp_path: Path) -> None:
    hungry = "import time; kept = b'x' * (80 << 20); time.sleep(0.3)"
    peak = command.peak_mib(Command([sys.executable, "-c", hungry], tmp_path))
    assert 80 < peak < 130


def test_the_document_says_what_was_aimed_at_and_what_was_met(tmp_path: Path) -> None:
    measured = json.loads((report.FOLDER / report.JSON).read_text())
    measured["suite"]["make test, healthy"]["wall_s"]["median"] = 2.0
    measured["suite"]["replay, healthy"]["wall_s"]["median"] = 9.0
    report.write(tmp_path, measured)
    text = (tmp_path / report.MARKDOWN).read_text()
    assert "| `make test, healthy`, seconds | 3 | 2.00 | met |" in text
    assert "| `replay, healthy`, seconds | 1 | 9.00 | **not met** |" in text
    # A blank line within a table would end it.
    assert not re.search(r"\|\n\n\| ---", text)


def test_what_a_check_costs_is_told_apart_from_the_start_and_from_the_machines_speed() -> None:
    def row(checks: int, *, slowness: float, check_s: float = 0.01) -> dict[str, Any]:
        return {"checks": checks, "wall_s": slowness * (2 + check_s * checks)}

    few, more = scale.YARDSTICK
    before = (row(few, slowness=1.0), row(more, slowness=1.0))
    after = (row(few, slowness=3.0), row(more, slowness=3.0))
    for check_s, expected in ((0.01, 1.0), (0.02, 2.0)):
        told = scale.with_cost(row(4000, slowness=2.0, check_s=check_s), [before, after])
        assert told["check_beside_yardstick"] == pytest.approx(expected, abs=0.01)


def test_of_several_runs_the_typical_one_is_told() -> None:
    rows = [{"wall_s": wall_s, "loop_s": wall_s / 4} for wall_s in (9.0, 2.0, 3.0)]
    assert scale.typical(rows) == {"wall_s": 3.0, "loop_s": 0.75}
