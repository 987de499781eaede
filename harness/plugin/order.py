"""In which order checks are judged: those first whose observations are there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from harness.errors import MissingSetting
from harness.observer import Asks
from harness.plugin import progress
from harness.plugin.declare import declared_probes
from harness.plugin.run import RUN, Run
from harness.specs import Probe

RAN = pytest.StashKey[int]()


def begin(session: pytest.Session) -> None:
    """Let the first check be one that can be judged; waits until there is one."""
    _bring_forward(session, 0)


def go_on(session: pytest.Session) -> None:
    """After a check has run, let the next one be such as can be judged; waits until there is one.

    So a host that does not answer holds up its own checks only.
    """
    session.stash[RAN] = ran = session.stash.get(RAN, 0) + 1
    if not (session.shouldfail or session.shouldstop):
        _bring_forward(session, ran)


def make_way(item: pytest.Item) -> None:
    """Tear down what ``item`` does not share with the check before it.

    pytest has done so already, but for the check that seemed to be the next one then.
    """
    item.session._setupstate.teardown_exact(item)


def _bring_forward(session: pytest.Session, place: int) -> None:
    """Move the first check that can be judged to ``place``, and another one after it if there is.

    pytest asks for the one after it when it begins the first: it says which fixtures stay.
    """
    started, items = session.config.stash.get(RUN, None), session.items
    # Under xdist, the controller deals the checks out by their places in this list.
    if started is None or not isinstance(collector := started.observer, Asks):
        return

    def judgeable() -> Iterator[int]:
        places = range(place, len(items))
        return (i for i in places if _answered(started, collector, items[i]))

    if place < len(items):
        progress.until(session.config, collector, lambda: next(judgeable(), None) is not None)
        for to, found in enumerate(list(islice(judgeable(), 2)), place):
            items.insert(to, items.pop(found))


def _answered(started: Run, collector: Asks, item: pytest.Item) -> bool:
    return all(map(collector.answered, _probes(started, item)))


def _probes(started: Run, item: pytest.Item) -> list[Probe]:
    try:
        return declared_probes(item, started.environment)
    except MissingSetting:
        return []
