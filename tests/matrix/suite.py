"""Runs the acceptance suite on a lab as often as a matrix needs, each time in a process of its own.

The processes are forked from one that has imported everything already: importing costs more than
judging. What runs is `pytest --env local`, with all of its plugins, as a user runs it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parent.parent.parent
_WITHIN = 60.0
_PRELOADED = (
    "pytest",
    "xdist.plugin",
    "testinfra.plugin",
    "boto3",
    "requests",
    "harness.plugin.hooks",
    "harness.plugin.run",
    "harness.aws.client",
    "harness.probes.client",
    "harness.probes.tls",
    "tests.matrix.warm",
)


class DidNotRunError(Exception):
    """The suite did not come to a result; the message holds what it printed last."""


class Suite:
    """Runs one after another; keep one instance per process."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for the reports of the runs; each run replaces the one before."""
        self._folder = folder
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(list(_PRELOADED))

    def run(self, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> dict[str, Any]:
        """Judge the lab with this environment; returns run.json. Raises DidNotRunError."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        output = self._folder / "terminal.txt"
        process = self._processes.Process(
            target=_run, args=(dict(environment), str(self._folder), str(output), list(arguments))
        )
        process.start()
        process.join(_WITHIN)
        if process.is_alive():
            process.kill()
            process.join()
        result = self._folder / "local" / "latest" / "run.json"
        if not result.exists():
            said = output.read_text(errors="replace") if output.exists() else ""
            raise DidNotRunError(f"exit code {process.exitcode}: {said[-2000:]}")
        document: dict[str, Any] = msgspec.json.decode(result.read_bytes())
        return document


def _run(environment: dict[str, str], reports: str, output: str, arguments: list[str]) -> None:
    """In a process of its own: be `pytest --env local`."""
    import pytest

    os.chdir(ROOT)
    for name in [each for each in os.environ if each.startswith(("PYTEST_", "HOKUSAI_", "AWS_"))]:
        del os.environ[name]
    os.environ.update(environment)
    written = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(written, 1)
    os.dup2(written, 2)
    given = ["--env", "local", "--reports", reports, "--tb=no", "-p", "no:cacheprovider"]
    # What is imported already cannot have its assertions rewritten: only plugins, no checks.
    # Nobody reads the reports of these runs.
    given += ["-p", "no:allure_pytest"]
    given += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    os._exit(int(pytest.main(["tests/acceptance", *given, *arguments])))
