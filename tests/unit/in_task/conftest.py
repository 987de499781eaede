"""Running the in-task probe as a task would: another process, its own environment."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import in_task

Answers = list[dict[str, Any]]
Run = Callable[..., Answers]

PATH = "/usr/local/bin:/usr/bin:/bin"


@functools.cache
def python_of(version: str) -> str | None:
    """A Python of this version that works: from PATH, or kept by pyenv."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [shutil.which(f"python{version}"), *kept.glob(f"{version}.*/bin/python{version}")]
    for place in filter(None, places):
        command = [str(place), "-I", "-c", "import ssl, hashlib"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


def python_or_skip(version: str) -> str:
    """The same, or the test is skipped."""
    if (found := python_of(version)) is None:
        pytest.skip(f"no Python {version} on this machine")
    return found


@pytest.fixture(params=["this", "3.8"])
def python(request: pytest.FixtureRequest) -> str:
    """This Python, and the oldest one that the probe promises to run on."""
    return sys.executable if request.param == "this" else python_or_skip(request.param)


@pytest.fixture
def run() -> Run:
    """Ask questions of the probe in a process with exactly the given variables."""

    def run(*questions: dict[str, Any], python: str = sys.executable, **variables: str) -> Answers:
        document = json.dumps({"questions": [{"deadline": 3.0, **q} for q in questions]})
        done = subprocess.run(
            [python, "-I", *in_task.command(document.encode())[1:]],
            env={"PATH": PATH, **variables},
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert done.stderr == b""
        answers: Answers = json.loads(done.stdout)["answers"]
        return answers

    return run
