"""Who writes what takes long to load or to write: this process, or the other one.

What is imported here is imported where it is needed: a run with a head start does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from harness.diagnosis import Diagnosis
from harness.observation import Observation
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.run_json import RunFacts
from harness.verdicts import CheckResult, Judgement


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to: what a hand-off is made of, beside the record and the project's data.

    ``changes`` are lines about the previous run, None if there is none; ``waivers`` are lines
    about what is borne. ``answer`` is the gate's, for a pipeline's page.
    """

    facts: RunFacts
    record: str
    duration_s: float
    checks: Sequence[CheckResult]
    judgements: Sequence[Judgement]
    diagnosis: Diagnosis
    changes: Sequence[str] | None = None
    waivers: Sequence[str] = ()
    answer: str = ""


class Step(msgspec.Struct, frozen=True):
    """What Allure shows of an observation: a headline, and the file with the exchange."""

    headline: str
    kind: str
    file: str


class Hands(Protocol):
    """Writes what is not for judging."""

    def get_ready(self) -> None:
        """Load what takes long, if that is done by this process; otherwise the first use does."""

    def step(self, observation: Observation) -> Step:
        """Return what Allure shows of ``observation``; its file is in Allure's folder."""

    def write_hand_off(self, judged: Judged) -> Callable[[], None]:
        """Have the hand-off written; what is returned waits for it, and raises what went wrong."""


class HandsHere:
    """Does it in this process."""

    def __init__(
        self, project: Project, folder: Path, redactor: Redactor, allure: Path | None
    ) -> None:
        """``folder`` is the run's, ``allure`` the one for Allure's results."""
        self._project, self._folder = project, folder
        self._redactor, self._allure = redactor, allure

    def get_ready(self) -> None:
        """See `Hands`."""
        from harness.reports.handoff import rendering

        rendering.get_ready()

    def step(self, observation: Observation) -> Step:
        """See `Hands`."""
        from harness.reports.allure import steps

        return steps.step(self._project.environment, self._allure, observation)

    def write_hand_off(self, judged: Judged) -> Callable[[], None]:
        """See `Hands`."""
        from harness.reports import handoff

        handoff.conclude(self._folder, judged, self._project, self._redactor)
        return lambda: None
