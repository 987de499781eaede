"""What the end of a run needs, got ready while there is nothing to judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from harness.plugin.run import RUN
from harness.reports import table

STEPS = pytest.StashKey[Iterator[Callable[[], object]]]()


def step(config: pytest.Config) -> Callable[[], object] | None:
    """Return what is to be got ready next: each step is short, and given once in a run."""
    if STEPS not in config.stash:
        config.stash[STEPS] = iter((table.get_ready, config.stash[RUN].hands.get_ready, _traceback))
    steps = config.stash[STEPS]
    return next(steps, None)


def _traceback() -> None:
    # For the first traceback that pytest shows, Python lists the file of every loaded module, and
    # compiles what it splits source code with.
    try:
        raise AssertionError
    except AssertionError:
        str(pytest.ExceptionInfo.from_current().getrepr(style="short"))
