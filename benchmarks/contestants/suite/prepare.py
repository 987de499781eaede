"""This suite: a project of its own around the real plugin, with Allure, JUnit and the hand-off."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.command import Command
from benchmarks.job import DEADLINE_S, Job

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
ENVIRONMENT = """\
description: The targets of the bench
registry: {{url: http://127.0.0.1:1}}
{tls}
network: {{resolver: "127.0.0.1:{resolver}"}}
limits: {{deadline: {deadline}, probes: 100000, requests_per_host: 100000}}
policy: {{must_judge: [p0, p1, p2, p3]}}
"""
PASSWORD = {"BENCH_PASSWORD": "opensesame-of-the-bench"}
PYTEST = str(Path(sys.executable).with_name("pytest"))
Way = Literal["as make test", "for the first time", "by plain pytest"]
# What `make test` and `make gate` run.
TEST = (sys.executable, "-m", "harness", "test")


def project(folder: Path, ca: str | None, resolver: int, deadline: float) -> None:
    """Lay out a project of the suite's own engine and data, with the bench's environment."""
    for name in ("harness", "failures", "causes"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "pytest.ini", folder)
    (folder / "environments").mkdir()
    tls = f"tls: {{ca_bundle: {ca}}}" if ca else ""
    told = ENVIRONMENT.format(tls=tls, resolver=resolver, deadline=deadline)
    (folder / "environments" / "bench.yaml").write_text(told)
    (folder / "tests" / "acceptance").mkdir(parents=True)
    shutil.copy(HERE / "conftest.py", folder)


def prepare(
    folder: Path, job: Job, *, fails: bool, allure: bool = True, way: Way = "as make test"
) -> Command:
    """Return the command that does the job; ``fails``: some targets do not answer."""
    project(folder, job.ca, job.of("dns")[0].port, DEADLINE_S)
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    shutil.copy(HERE / "test_job.py", folder / "tests" / "acceptance")
    command = (PYTEST,) if way == "by plain pytest" else TEST
    arguments = [*command, "--env=bench", *([] if allure else ["-p", "no:allure_pytest"])]
    # What is given so may change what is run: nothing is foreseen.
    more = {"PYTEST_ADDOPTS": "--tb=short"} if way == "for the first time" else {}
    return Command(arguments, folder, PASSWORD | more, frozenset({1 if fails else 0}))
