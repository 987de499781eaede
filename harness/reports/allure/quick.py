"""Takes over from Allure's logger, which writes each of its objects into a file of its own.

`json.dump` into a file encodes in Python what `msgspec` encodes in C: a tenth of a second a run.
And of the containers only those that say something: each is a file.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from allure_commons import plugin_manager
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Status, TestResult, TestResultContainer

from harness import whole
from harness.reports.hands import Document


def take_over(show: Callable[[Document], None]) -> None:
    """Let ``show`` have each test's result, instead of the logger that Allure has registered."""
    for logger in plugin_manager.get_plugins():
        if isinstance(logger, AllureFileLogger):
            vars(logger)["_report_item"] = partial(_report, Path(logger._report_dir), show)


def _report(folder: Path, show: Callable[[Document], None], item: Any) -> None:
    if isinstance(item, TestResult):
        show(msgspec.to_builtins(item))
    elif not isinstance(item, TestResultContainer) or not _says_nothing(item):
        # A full disk must not cost the check; the run's end tells of it.
        with contextlib.suppress(OSError):
            name = item.file_pattern.format(prefix=uuid.uuid4())
            whole.write(folder / name, msgspec.json.encode(item))


def _says_nothing(container: TestResultContainer) -> bool:
    """Whether it only tells that fixtures were set up and torn down.

    What a fixture observed is a step of the check, and its parameters are the check's. A fixture
    that is just being torn down has no status yet.
    """
    return not any(
        fixture.status not in (None, Status.PASSED) or fixture.steps or fixture.attachments
        for fixture in (*container.befores, *container.afters)
    )
