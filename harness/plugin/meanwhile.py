"""What the end of a run needs, got ready while there is nothing to judge."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest

from harness.reports import table
from harness.reports.handoff import rendering

STEPS = pytest.StashKey[Iterator[Callable[[], object]]]()


def step(config: pytest.Config) -> Callable[[], object] | None:
    """Return what is to be got ready next: each step is short, and given once in a run."""
    steps = config.stash.setdefault(STEPS, iter((_rich, rendering.get_ready, _sources)))
    return next(steps, None)


def _rich() -> None:
    table.verdicts([], width=80, colour=False)


def _sources() -> None:
    # The first traceback that pytest shows has Python list the file of every loaded module.
    inspect.getmodule(_sources.__code__)
