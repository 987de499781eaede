"""Vantage points: where a probe runs from: this machine (``runner``) or inside a task."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from harness import in_task
from harness.observation import AnyObservation, Failure, FailureKind, Observation
from harness.probes.blank import unanswered
from harness.probes.stage import StageError
from harness.specs import Probe

START_ALLOWANCE = 10.0


class WayIn(Protocol):
    """Runs the in-task probe inside a service's running task."""

    def run(self, service: str, script: str, document: bytes, deadline: float) -> bytes:
        """Return what the script printed. Raises StageError if it could not be run."""


class CommandWayIn:
    """A command prefix that runs what follows it inside the task of ``{service}``."""

    def __init__(self, template: str, python: str = "python3") -> None:
        self._template, self._python = template, python

    def run(self, service: str, script: str, document: bytes, deadline: float) -> bytes:
        """Run the script with the task's own Python, the document on its standard input."""
        prefix = shlex.split(self._template.replace("{service}", shlex.quote(service)))
        try:
            done = subprocess.run(
                [*prefix, self._python, "-c", script],
                input=document,
                capture_output=True,
                timeout=deadline,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = f"{service}: {type(error).__name__} while entering the task"
            raise StageError(FailureKind.NO_VANTAGE_POINT, reason) from None
        if done.returncode != 0:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            message = f"{service}: exit code {done.returncode}: {''.join(last)}"
            raise StageError(FailureKind.NO_VANTAGE_POINT, message)
        return done.stdout


def here() -> CommandWayIn:
    """This machine as a vantage point, for what only the in-task probe knows how to ask."""
    return CommandWayIn("env", sys.executable)


class _Answers(msgspec.Struct, frozen=True):
    answers: tuple[AnyObservation, ...]


def ask(way_in: WayIn, service: str, probes: Sequence[Probe]) -> list[Observation]:
    """Answer all ``probes`` in one session inside the task of ``service``; never raises."""
    slowest = max(probe.deadline for probe in probes)
    questions: dict[str, Any] = {"questions": probes, "deadline": slowest}
    document = msgspec.json.encode(questions)
    try:
        printed = way_in.run(service, in_task.source(), document, slowest + START_ALLOWANCE)
        answers = msgspec.json.decode(printed, type=_Answers).answers
    except StageError as error:
        return [unanswered(probe, error.failure) for probe in probes]
    except msgspec.MsgspecError as error:
        failure = Failure(
            kind=FailureKind.NO_VANTAGE_POINT,
            message=f"{service}: the in-task probe's answer cannot be read: {error}",
        )
        return [unanswered(probe, failure) for probe in probes]
    return list(answers)
