"""What Allure shows of an observation: the exchange, and the command that repeats it."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from harness.environment import Environment
from harness.observation import AwsObservation, Observation
from harness.reports import exchange
from harness.reports.handoff import pasting
from harness.reports.hands import Step
from harness.signatures import evidence


def step(tested: Environment, folder: Path | None, observation: Observation) -> Step:
    """Return the step, and write its file into ``folder``, if there is one."""
    text = exchange.as_text(observation)
    if (command := exchange.command(observation)) is not None:
        pasted = pasting.pasted(command, observation.vantage, tested)
        text += f"\nto ask the same again, in a shell:\n\n{_with_shell(tested, pasted)}"
    # One file, not two: where many are asked, files take most of a run's time.
    return Step(_headline(observation), exchange.kind(observation), _written(folder, text))


def _headline(observation: Observation) -> str:
    # The control plane's state is long: the headline names it only.
    return observation.label if isinstance(observation, AwsObservation) else evidence(observation)


def _with_shell(tested: Environment, command: str) -> str:
    return "\n".join([*pasting.shell(tested, [command]), command]) + "\n"


def _written(folder: Path | None, text: str) -> str:
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:32]}-attachment.txt"
    # A full disk must not fail a check. Not by Allure's own logger, which renames what it has
    # written: a result that names this file is written after it.
    with contextlib.suppress(OSError):
        if folder is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return name
