"""The folder of Allure's results: each is written when its check has been judged.

What failed is written once more at the run's end, which knows the root causes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness import whole
from harness.diagnosis import Diagnosis
from harness.observation import Observation
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.allure import conclude, steps
from harness.reports.allure.document import completed, described, label
from harness.reports.hands import Document, Judged
from harness.verdicts import CheckResult, Status


class Results:
    """One run's, without secrets."""

    def __init__(self, folder: Path, project: Project, redactor: Redactor) -> None:
        self._folder, self._project, self._redactor = folder, project, redactor
        self._steps: dict[str, Document] = {}
        self._failed: dict[str, tuple[Path, Document]] = {}

    def add(
        self, result: Document, check: CheckResult | None, observed: Sequence[Observation]
    ) -> None:
        """Write what allure-pytest has of a test; ``check`` is None if it is none of this suite's.

        A full disk costs a result here, and must not cost the check; the run's end tells of it.
        """
        file = self._folder / f"{result['uuid']}-result.json"
        if check is not None:
            catalogue = self._project.data.catalogue
            result = described(result, check, catalogue, [self._step(each) for each in observed])
            if check.status is Status.FAILED:
                self._failed[check.id] = file, result
            else:
                result = completed(result, check, Diagnosis())
        with contextlib.suppress(OSError):
            self._write(file, result)

    def _step(self, observation: Observation) -> Document:
        """Return the step of an observation: checks of one observation share it and its file."""
        if (known := self._steps.get(observation.probe)) is not None:
            return known
        made = steps.step(self._project.environment, self._folder, observation)
        self._steps[observation.probe] = made
        return made

    def conclude(self, judged: Judged) -> None:
        """Write what only the end of the run knows, if there are results. Raises OSError."""
        if not self._folder.is_dir():
            return
        conclude.conclude(self._folder, judged, self._project, self._redactor)
        failed = {check.id: check for check in judged.checks if check.status is Status.FAILED}
        for file, result in (*self._failed.values(), *self._written_by_others(failed)):
            if (check := failed.get(label(result, "check"))) is not None:
                self._write(file, completed(result, check, judged.diagnosis))

    def _written_by_others(self, failed: Iterable[str]) -> Iterator[tuple[Path, Document]]:
        """Yield the results of failed checks that workers of xdist have written."""
        missing = set(failed) - self._failed.keys()
        for file in self._folder.glob("*-result.json") if missing else ():
            result: Document = msgspec.json.decode(file.read_bytes())
            if label(result, "check") in missing:
                yield file, result

    def _write(self, file: Path, result: Document) -> None:
        # Who watches the folder never reads half a result.
        whole.write(file, msgspec.json.encode(self._redactor.clean(result)))
