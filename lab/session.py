"""Start a lab from another program, and have it end with that program, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.home import ROOT, LabError, Record, running

Progress = Callable[[str, float], None]

_STOP_WITHIN = 15.0


@dataclass(slots=True)
class LabSession:
    """A lab that was started here. Stop it, or use it as a context manager."""

    number: int
    environment: dict[str, str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None
    _leash: int | None = None

    def __enter__(self) -> Self:
        """Running since it was made."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End the lab and everything in it; returns when nothing of it is left."""
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        if self._process is not None:
            end(self._process)
            self._process = None


def start(
    scenario: str = "healthy", *, number: int | None = None, progress: Progress | None = None
) -> LabSession:
    """Start a lab of our own and wait until it is ready (about 4 s; the first time ever 15 s).

    `progress` is told each part and after how many seconds it was ready. Raises LabError with one
    line if the lab cannot start. The lab ends by itself when this process does.
    """
    theirs, ours = os.pipe()
    try:
        process, environment, taken = launch(scenario, number, progress, leash=theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return LabSession(taken, environment, process, ours)


def find(number: int | None = None) -> Record | None:
    """A lab that already runs (started with `python -m lab up`): the given, or the only one."""
    found = [each for each in running() if number in (None, each.number) and each.environment]
    return found[0] if len(found) == 1 else None


def launch(
    scenario: str, number: int | None, progress: Progress | None = None, leash: int | None = None
) -> tuple[subprocess.Popen[bytes], dict[str, str], int]:
    """Start a lab's process and wait until it is ready; returns it, its environment, its number.

    Without a `leash` (the reading end of a pipe) the lab outlives this process. Raises LabError.
    """
    report, write = os.pipe()
    order = {"scenario": scenario, "number": number, "report": write, "leash": leash}
    kept = [write] if leash is None else [write, leash]
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "serve", json.dumps(order)],
        cwd=ROOT,
        env={**_inherited(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=kept,
        start_new_session=True,
    )
    os.close(write)
    try:
        with open(report, "rb") as lines:  # noqa: PTH123 - a file descriptor
            return process, *_wait_until_ready(lines, progress)
    except BaseException:
        end(process)
        raise


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a lab's process to end; kill it if it does not (its parts die with it)."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        running()  # removes what it has left


def _wait_until_ready(lines: Any, progress: Progress | None) -> tuple[dict[str, str], int]:
    for line in lines:
        message = json.loads(line)
        if "error" in message:
            raise LabError(message["error"])
        if "ready" in message:
            return message["environment"], message["number"]
        if progress is not None:
            progress(message["part"], message["seconds"])
    raise LabError(f"the lab ended before it was ready; its logs are in {Path('.lab') / 'logs'}")


def _inherited() -> dict[str, str]:
    """Ours, without what would slow the lab down (PARTS.md) or lead its own clients elsewhere."""
    unwanted = ("AWS_", "HOKUSAI_", "PG", "MLFLOW_", "_MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    for name in ("PYTHONDONTWRITEBYTECODE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environment.pop(name, None)
        environment.pop(name.lower(), None)
    return environment
