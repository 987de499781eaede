"""Who does a run's work: the process that was started ahead, this one, or nobody (a replay)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from harness import project
from harness.apart import head_start
from harness.errors import BrokenApart
from harness.observer import Observer
from harness.plugin.run import Beginning
from harness.project import Project
from harness.replay import Replay
from harness.reports.hands import Hands, HandsHere

if TYPE_CHECKING:
    from harness.apart.observer import Apart
    from harness.aws.sections import Reader


class Workers(NamedTuple):
    """Who observes, who writes the reports, and who reads from AWS for the gate."""

    observer: Observer
    hands: Hands
    aws: Reader | None = None


def ahead(config: pytest.Config, closing: contextlib.ExitStack) -> Apart | None:
    """Return the process that was started ahead, if this run can use it."""
    if hasattr(config, "workerinput") or (started := head_start.take()) is None:
        return None
    from harness.apart.observer import Apart

    apart = Apart(started)
    closing.callback(apart.close)
    return apart


def load(name: str, apart: Apart | None) -> tuple[Project, Path | None]:
    """Return what the project's files say, and the run's folder if it has begun already.

    Raises UsageError.
    """
    with contextlib.suppress(BrokenApart):  # it is done here, then
        if apart is not None:
            loaded = apart.load(name)
            return loaded.project, Path(loaded.folder) if loaded.folder else None
    return project.load(name), None


def workers(
    config: pytest.Config,
    begun: Beginning,
    apart: Apart | None,
    closing: contextlib.ExitStack,
    broker_at: str | None,
) -> Workers:
    """Return who works for this run. Raises UsageError."""
    here = HandsHere(begun.project, begun.folder, begun.redactor, begun.allure)
    if broker_at:
        from harness.plugin import broker

        return Workers(broker.RemoteObserver(broker_at), here)
    replayed = config.getoption("--replay")
    hands: Hands = here
    if apart and not apart.ended:
        apart.begin(begun.folder, begun.allure, here, asks=not replayed, writes=begun.writes)
        hands = apart
    if replayed:
        return Workers(Replay(replayed), hands)
    if apart and not apart.ended:
        return Workers(apart, hands, apart if begun.project.environment.aws else None)
    # A replay does without all that asks: it takes a tenth of its time to import.
    from harness.observing import observing

    tested = begun.project.environment
    entered = closing.enter_context(
        observing(tested, begun.credentials, begun.folder, begun.redactor, writes=begun.writes)
    )
    return Workers(entered.collector, here, entered.clients)
