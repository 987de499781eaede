"""Ever more probes: three of four ask HTTP, one looks a name up; each is answered after 50 ms.

``few`` checks have a hundred probes each, so that the engine is what is measured; with ``each``,
every probe has a check of its own, with its line in every report.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from benchmarks import command
from benchmarks.contestants.suite import prepare as suite

Shape = Literal["few", "each"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
NUMBERS = (40, 400, 4_000, 20_000)
DELAY_S, DEADLINE_S = 0.05, 60.0
PER_CHECK = 100
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


def measured(folder: Path, number: int, shape: Shape) -> dict[str, Any]:
    """Return what ``number`` probes took: seconds, memory and open files of the whole tree."""
    step = PER_CHECK if shape == "few" else 1
    with _served() as (http, names):
        suite.project(folder, None, names, DEADLINE_S)
        told = CHECKS.format(port=http, number=number, step=step, deadline=DEADLINE_S)
        (folder / "tests" / "acceptance" / "test_scale.py").write_text(told)
        run = command.Command([suite.PYTEST, "--env=bench", "-q"], folder, suite.PASSWORD)
        took = command.timed(run)
        with _watched() as most_open:
            peak = command.peak_mib(run)
    checks = -(-number // step)
    return {
        "probes": number,
        "checks": checks,
        "shape": shape,
        "wall_s": round(took.wall_s, 2),
        "cpu_s": round(took.cpu_s, 2),
        "ms_per_probe": round(took.wall_s / number * 1000, 3),
        "peak_mib": round(peak, 1),
        "open_files": most_open[0],
    }


@contextlib.contextmanager
def _watched() -> Iterator[list[int]]:
    """Watch how many files this process's children have open; yields the most, in a list."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "--env=bench" in process.cmdline():
                        most[0] = max(most[0], process.num_fds())

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
