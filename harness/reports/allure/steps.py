"""What Allure shows of an observation: the exchange, and the command that repeats it."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from harness.environment import Environment
from harness.observation import AwsObservation, Observation
from harness.reports import exchange
from harness.reports.handoff import pasting
from harness.reports.hands import Document
from harness.signatures import evidence


def step(tested: Environment, folder: Path, observation: Observation) -> Document:
    """Return the step, which takes what its probe took, and write its file into ``folder``."""
    text = exchange.as_text(observation)
    if (command := exchange.command(observation)) is not None:
        pasted = pasting.pasted(command, observation.vantage, tested)
        text += f"\nto ask the same again, in a shell:\n\n{_with_shell(tested, pasted)}"
    began = round(observation.started * 1000)
    # One file, not two: where many are asked, files take most of a run's time.
    attached = {
        "name": exchange.kind(observation),
        "source": _written(folder, text),
        "type": "text/plain",
    }
    return {
        "name": _headline(observation),
        "status": "passed",
        "start": began,
        "stop": began + round(observation.duration_ms),
        "attachments": [attached],
    }


def _headline(observation: Observation) -> str:
    # The control plane's state is long: the headline names it only.
    return observation.label if isinstance(observation, AwsObservation) else evidence(observation)


def _with_shell(tested: Environment, command: str) -> str:
    return "\n".join([*pasting.shell(tested, [command]), command]) + "\n"


def _written(folder: Path, text: str) -> str:
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:32]}-attachment.txt"
    # A full disk must not fail a check. A result that names this file is written after it.
    with contextlib.suppress(OSError):
        (folder / name).write_text(text, encoding="utf-8")
    return name
