"""The suite as a person runs it: a process of its own on a lab, judged by its ``run.json``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.home import ROOT

RUN_WITHIN = 60.0
MENDED_WITHIN = 30.0


@dataclass(frozen=True)
class Judged:
    """One finished run of the suite."""

    exit_code: int
    output: str
    document: dict[str, Any]

    @property
    def verdicts(self) -> dict[str, str]:
        """Each documented failure's verdict."""
        return {each["failure"]: each["verdict"] for each in self.document["verdicts"]}

    @property
    def failed(self) -> dict[str, str]:
        """Each failed check's message, by the check's id."""
        checks = self.document["checks"]
        return {each["id"]: each["message"] for each in checks if each["status"] != "passed"}

    @property
    def root_causes(self) -> list[str]:
        """The checks that the diagnosis names as root causes."""
        return [each["check"] for each in self.document["root_causes"]]

    def signatures(self, failure: str) -> set[str]:
        """The documented signatures of a failure that were seen."""
        found = next(each for each in self.document["verdicts"] if each["failure"] == failure)
        return {each["signature"] for each in found["sightings"]}

    def symptoms_failed(self, failure: str) -> list[str]:
        """The failed symptom checks of a documented failure."""
        return [
            each["id"]
            for each in self.document["checks"]
            if each["role"] == "symptom"
            and failure in each["failures"]
            and each["id"] in self.failed
        ]


def judge(lab: Mapping[str, str], reports: Path, *arguments: str) -> Judged:
    """Run ``pytest --env local`` on the lab with this environment, and read its result."""
    command = [sys.executable, "-m", "harness", "test", "--env", "local", f"--reports={reports}"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, **lab},
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN,
        check=False,
    )
    path = reports / "local" / "latest" / "run.json"
    output = done.stdout + done.stderr
    assert path.exists(), output
    return Judged(done.returncode, output, json.loads(path.read_text()))


def judge_until_green(lab: Mapping[str, str], reports: Path) -> Judged:
    """Judge until nothing fails: what was mended takes its time (a rollout, a health check)."""
    deadline = time.monotonic() + MENDED_WITHIN
    while True:
        seen = judge(lab, reports)
        if seen.exit_code == 0 or time.monotonic() > deadline:
            return seen
