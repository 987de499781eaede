"""Tavern: API tests in YAML, run by pytest. It knows HTTP only: the job's 16 requests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from benchmarks.command import Command
from benchmarks.job import DEADLINE_S, Job

# Its pins are not this suite's, so it has a virtual environment of its own.
VARIABLE = "BENCH_TAVERN"
INSTALL = f"pip install tavern into a virtual environment, and {VARIABLE}=<its bin/tavern-ci>"


def program() -> str | None:
    """Return where tavern is, or None."""
    return os.environ.get(VARIABLE) or shutil.which("tavern-ci")


def prepare(folder: Path, job: Job, *, fails: bool) -> Command:
    """Return the command that does what tavern can do of the job."""
    documents: list[dict[str, Any]] = [
        {
            "test_name": target.check.name,
            "stages": [
                {
                    "name": "health",
                    "request": {
                        "url": f"http://127.0.0.1:{target.port}/{target.check.name}",
                        "timeout": DEADLINE_S,
                    },
                    "response": {
                        "status_code": 200,
                        "json": {"status": "healthy", "version": "1.0.0"},
                    },
                }
            ],
        }
        for target in job.of("http")
    ]
    (folder / "test_job.tavern.yaml").write_text(yaml.safe_dump_all(documents))
    pytest = str(Path(program() or "").with_name("pytest"))
    return Command([pytest, "test_job.tavern.yaml"], folder, {}, frozenset({1 if fails else 0}))
