"""A run that dies in the middle of the journey leaves what `harness cleanup` removes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_clean_up_removes_what_a_crash_left(tmp_path: Path) -> None:
    with session.start("healthy") as lab:
        environment = dict(lab.environment)
        died = run(environment, "-c", DYING)
        assert died.returncode == DIES_AT, died.stderr
        clean = ("-m", "harness", "cleanup", "--env=local", f"--reports={tmp_path}")
        first, again = run(environment, *clean), run(environment, *clean)
    assert "cleanup: 3 left-overs" in first.stdout, first.stdout + first.stderr
    assert "cleanup: 0 left-overs" in again.stdout, again.stdout + again.stderr
    assert first.returncode == again.returncode == 0
