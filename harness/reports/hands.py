"""Who writes what takes long to load or to write: this process, or the other one.

What is imported here is imported where it is needed: a run with a head start does without.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from harness.diagnosis import Diagnosis
from harness.observation import Observation
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.run_json import RunFacts
from harness.verdicts import CheckResult, Judgement

if TYPE_CHECKING:
    from harness.reports.allure.results import Results

# A result of Allure's, as JSON has it.
Document = dict[str, Any]


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


class Hands(Protocol):
    """Writes what is not for judging."""

    def get_ready(self) -> None:
        """Load what takes long, if that is done by this process; otherwise the first use does."""

    def show(
        self, result: Document, check: CheckResult | None, observed: Sequence[Observation]
    ) -> None:
        """Write Allure's result of a test: of which check it is, if of any, and what that saw."""

    def conclude(self, judged: Judged) -> Callable[[], None]:
        """Have the hand-off written, and what Allure is told last.

        What is returned waits for that, and raises what went wrong.
        """


class HandsHere:
    """Does it in this process."""

    def __init__(
        self, project: Project, folder: Path, redactor: Redactor, allure: Path | None
    ) -> None:
        """``folder`` is the run's, ``allure`` the one for Allure's results."""
        self._project, self._folder = project, folder
        self._redactor, self._allure = redactor, allure
        self._results: Results | None = None

    def get_ready(self) -> None:
        """See `Hands`."""
        from harness.reports.handoff import rendering

        rendering.get_ready()

    def show(
        self, result: Document, check: CheckResult | None, observed: Sequence[Observation]
    ) -> None:
        """See `Hands`."""
        if (results := self._of_allure()) is not None:
            results.add(result, check, observed)

    def conclude(self, judged: Judged) -> Callable[[], None]:
        """See `Hands`."""
        from harness.reports import handoff

        try:
            handoff.conclude(self._folder, judged, self._project, self._redactor)
        finally:
            if (results := self._of_allure()) is not None:
                results.conclude(judged)
        return lambda: None

    def _of_allure(self) -> "Results | None":
        if self._results is None and self._allure is not None:
            from harness.reports.allure.results import Results

            self._results = Results(self._allure, self._project, self._redactor)
        return self._results
