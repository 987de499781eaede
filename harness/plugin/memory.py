"""When Python looks for garbage: seldom. A run is short, and what it makes lives until its end."""

from __future__ import annotations

import gc

import pytest

from harness.apart.head_start import ALLOCATIONS


def collect_seldom(config: pytest.Config) -> None:
    """Hold for this run; the process's own setting comes back after it."""
    before = gc.get_threshold()
    config.add_cleanup(lambda: gc.set_threshold(*before))
    gc.set_threshold(ALLOCATIONS)


def keep_the_rest() -> None:
    """Leave what the run has made to the end of the process: pytest collects several times yet."""
    gc.freeze()
