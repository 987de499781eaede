"""Writes Allure's results as its own logger does, in a third of the time.

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

Document = dict[str, Any]


def write_quickly(complete: Callable[[Document], Document]) -> None:
    """Let the logger that Allure has registered for this run write results so.

    ``complete`` gets each check's result, and returns what is written.
    """
    for logger in plugin_manager.get_plugins():
        if isinstance(logger, AllureFileLogger):
            vars(logger)["_report_item"] = partial(_write, Path(logger._report_dir), complete)


def _write(folder: Path, complete: Callable[[Document], Document], item: Any) -> None:
    if isinstance(item, TestResultContainer) and _says_nothing(item):
        return
    name = item.file_pattern.format(prefix=uuid.uuid4())
    if isinstance(item, TestResult):
        item = complete(msgspec.to_builtins(item))
    # Renamed into place: who watches the folder never reads half a result. A full disk costs a
    # result here, and must not cost the check; the run's end tells it.
    unfinished = folder / f".{name}.unfinished"
    with contextlib.suppress(OSError):
        unfinished.write_bytes(msgspec.json.encode(item))
        unfinished.replace(folder / name)


def _says_nothing(container: TestResultContainer) -> bool:
    """Whether it only tells that fixtures were set up and torn down.

    What a fixture observed is a step of the check, and its parameters are the check's. A fixture
    that is just being torn down has no status yet.
    """
    return not any(
        fixture.status not in (None, Status.PASSED) or fixture.steps or fixture.attachments
        for fixture in (*container.befores, *container.afters)
    )
