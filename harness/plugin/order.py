"""In which order checks are judged: those first whose observations are there."""

from __future__ import annotations

import pytest

from harness.errors import MissingSetting
from harness.observer import Asks
from harness.plugin import progress
from harness.plugin.declare import declared_probes
from harness.plugin.run import RUN, Run
from harness.specs import Probe

RAN = pytest.StashKey[int]()


def begin(session: pytest.Session) -> None:
    """Let the first two checks be such as can be judged."""
    for place in (0, 1):
        _bring_forward(session, place)


def go_on(session: pytest.Session) -> None:
    """After a check has run, let the one after the next be such as can be judged.

    So a host that does not answer holds up its own checks only. (pytest has fixed the next one
    already: it says which fixtures stay.)
    """
    session.stash[RAN] = ran = session.stash.get(RAN, 0) + 1
    if not (session.shouldfail or session.shouldstop):
        _bring_forward(session, ran + 1)


def _bring_forward(session: pytest.Session, place: int) -> None:
    """Move the first check that can be judged to ``place``; waits until there is one."""
    started, items = session.config.stash.get(RUN, None), session.items
    # Under xdist, the controller deals the checks out by their places in this list.
    if started is None or not isinstance(collector := started.observer, Asks):
        return

    def judgeable() -> int | None:
        later = range(place, len(items))
        return next((i for i in later if _answered(started, collector, items[i])), None)

    if place < len(items):
        progress.until(session.config, collector, lambda: judgeable() is not None)
        if (found := judgeable()) is not None and found != place:
            items.insert(place, items.pop(found))


def _answered(started: Run, collector: Asks, item: pytest.Item) -> bool:
    return all(map(collector.answered, _probes(started, item)))


def _probes(started: Run, item: pytest.Item) -> list[Probe]:
    try:
        return declared_probes(item, started.environment)
    except MissingSetting:
        return []
