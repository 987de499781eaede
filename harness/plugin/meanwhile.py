"""What the end of a run needs, got ready while there is nothing to judge."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest

from harness.plugin.run import RUN
from harness.reports import table

STEPS = pytest.StashKey[Iterator[Callable[[], object]]]()


def step(config: pytest.Config) -> Callable[[], object] | None:
    """Return what is to be got ready next: each step is short, and given once in a run."""
    if STEPS not in config.stash:
        config.stash[STEPS] = iter((table.get_ready, config.stash[RUN].hands.get_ready, _sources))
    steps = config.stash[STEPS]
    return next(steps, None)


def _sources() -> None:
    # The first traceback that pytest shows has Python list the file of every loaded module.
    inspect.getmodule(_sources.__code__)
