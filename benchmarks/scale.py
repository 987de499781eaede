"""Ever more probes: three of four ask HTTP, one looks a name up; each is answered after 50 ms.

``few`` checks have a hundred probes each, so that the engine is what is measured; with ``each``,
every probe has a check of its own, with its line in every report.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil

from benchmarks import command
from benchmarks.contestants.suite import prepare as suite

Shape = Literal["few", "each"]
NUMBERS = (40, 400, 4_000, 20_000)
# The checks of a run that is its start alone, and of one that is told apart from it.
YARDSTICK = (40, 400)
DELAY_S, DEADLINE_S = 0.05, 60.0
PER_CHECK = 100
# Going through all processes takes a hundredth of a second of what is being measured.
SAMPLE_EVERY_S = 0.1
ROOT = Path(__file__).parents[1]
CHECKS = '''\
import pytest
from harness import expect
from harness.plugin.declare import probe, symptom
from harness.specs import DnsProbe, HttpProbe

def asked(number):
    if number % 4 == 3:
        return DnsProbe(name=f"name-{{number}}.bench", deadline={deadline})
    return HttpProbe(url=f"http://127.0.0.1:{port}/{{number}}", deadline={deadline})

@probe
def seen(environment, first):
    return {{str(n): asked(n) for n in range(first, first + {step})}}

@pytest.mark.p1
@symptom("health-endpoints")
@pytest.mark.parametrize("first", range(0, {number}, {step}))
def test_answered(seen):
    """All of them answer."""
    for each in seen.values():
        expect.answered(each)
'''


class Most(msgspec.Struct):
    """The most that a run had: open files of one process, and MiB of all its processes.

    A page that processes share counts once.
    """

    open_files: int = 0
    mib: float = 0.0


def measured(folder: Path, number: int, shape: Shape) -> dict[str, Any]:
    """Return what ``number`` probes took: seconds, memory, open files."""
    step = PER_CHECK if shape == "few" else 1
    before = command.loop_s()
    with _served() as (http, names):
        suite.project(folder, None, names, DEADLINE_S)
        told = CHECKS.format(port=http, number=number, step=step, deadline=DEADLINE_S)
        (folder / "tests" / "acceptance" / "test_scale.py").write_text(told)
        with _watched() as most:
            took = command.timed(
                command.Command([*suite.TEST, "--env=bench", "-q"], folder, suite.PASSWORD)
            )
    return {
        "probes": number,
        "checks": -(-number // step),
        "shape": shape,
        "wall_s": round(took.wall_s, 2),
        "cpu_s": round(took.cpu_s, 2),
        "peak_mib": round(most.mib, 1),
        "open_files": most.open_files,
        "loop_s": round((before + command.loop_s()) / 2, 2),
    }


def typical(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the one of an odd number of rows that took the median time."""
    return sorted(rows, key=lambda row: float(row["wall_s"]))[len(rows) // 2]


def with_cost(
    row: dict[str, Any], yardsticks: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> dict[str, Any]:
    """Add what a check costs beyond a run's start, beside what one of the yardsticks' does.

    A yardstick is a run of few checks and one of more. They ran just before and just after: the
    machine's speed changes between two runs, and a second is not a measure.
    """
    starts = [few["wall_s"] for few, _more in yardsticks]
    unit = statistics.median(_check_s(few, more) for few, more in yardsticks)
    cost = _check_s({"wall_s": statistics.median(starts), "checks": YARDSTICK[0]}, row)
    return row | {"check_beside_yardstick": round(cost / unit, 2)}


def _check_s(few: Mapping[str, Any], more: Mapping[str, Any]) -> float:
    return float((more["wall_s"] - few["wall_s"]) / (more["checks"] - few["checks"]))


@contextlib.contextmanager
def _watched() -> Iterator[Most]:
    """Watch what the runs that this process has started need."""
    most, ended = Most(), threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_EVERY_S):
            used = 0
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "--env=bench" in process.cmdline():
                        most.open_files = max(most.open_files, process.num_fds())
                        used += process.memory_full_info().pss
            most.mib = max(most.mib, used / command.MIB)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        ended.set()
        watching.join()


@contextlib.contextmanager
def _served() -> Iterator[tuple[int, int]]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as serving:
        assert serving.stdin is not None
        assert serving.stdout is not None
        try:
            http, names = map(int, serving.stdout.readline().split())
            yield http, names
        finally:
            serving.stdin.close()


async def _serve() -> None:
    from benchmarks import targets

    print(await targets.http(DELAY_S), await targets.names({"": DELAY_S}), flush=True)
    await targets.until_left()


if __name__ == "__main__":
    asyncio.run(_serve())
