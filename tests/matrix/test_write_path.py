"""What is left of a journey that is broken off: nothing, or what `harness cleanup` removes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import session
from lab.home import ROOT

DIES_AT = 9
DYING = f"""
import asyncio, os
from pathlib import Path
from harness import environment, journey
from harness.asking import Asking
from harness.probes.network import Reach
from harness.specs import JourneyProbe

tested = environment.load("local", Path("environments"))
reach = Reach(tested.network, tested.tls)
asking = Asking(tested, environment.credentials(), reach, None, writes=True)
asked = []

async def step(probe):
    asked.append(probe)
    if len(asked) == {DIES_AT}:
        os._exit({DIES_AT})
    return await asking.step(probe)

asyncio.run(journey.observe(JourneyProbe(url=tested.registry.url), step))
"""


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, str]]:
    with session.start("healthy") as started:
        yield dict(started.environment)


def test_a_clean_up_removes_what_a_crash_left(lab: dict[str, str], tmp_path: Path) -> None:
    died = run(lab, "-c", DYING)
    assert died.returncode == DIES_AT, died.stderr
    clean = ("-m", "harness", "cleanup", "--env=local", f"--reports={tmp_path}")
    first, again = run(lab, *clean), run(lab, *clean)
    assert "cleanup: 3 left-overs" in first.stdout, first.stdout + first.stderr
    assert "cleanup: 0 left-overs" in again.stdout, again.stdout + again.stderr
    assert first.returncode == again.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("later", [0.0, 0.15, 0.3])
def test_a_journey_that_is_interrupted_removes_what_it_made(
    lab: dict[str, str], tmp_path: Path, number: signal.Signals, later: float
) -> None:
    checks = [
        sys.executable,
        "-m",
        "pytest",
        "--env=local",
        "-k",
        "registered",
        f"--reports={tmp_path}",
    ]
    started = subprocess.Popen(
        checks, cwd=ROOT, env={**os.environ, **lab}, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    with started:
        assert started.stdout is not None
        for line in started.stdout:
            if "asked at once" in line:
                break
        # No race to be hidden: each moment of the journey is as good as another.
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(later)
        started.send_signal(number)
        started.communicate(timeout=30)
    assert started.returncode in (0, 2)
    again = run(lab, "-m", "harness", "cleanup", "--env=local", f"--reports={tmp_path}")
    assert "cleanup: 0 left-overs" in again.stdout, again.stdout + again.stderr
