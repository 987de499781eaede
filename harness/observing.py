"""A collector for one environment, with all that it asks with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.asking import Asking
from harness.audit import NAME, Audit
from harness.collector import Collector
from harness.environment import Credentials, Environment
from harness.observation import Observation
from harness.probes.network import Reach
from harness.recorder import Recorder
from harness.redaction import Redactor
from harness.vantage import EcsWayIn, WayIn

if TYPE_CHECKING:
    from harness.aws.apart import AnyClients


class Observing(NamedTuple):
    """Who observes, and the clients of AWS that it has, if the environment is on AWS."""

    collector: Collector
    clients: AnyClients | None


@contextlib.contextmanager
def observing(
    tested: Environment,
    credentials: Credentials,
    folder: Path,
    redactor: Redactor,
    *,
    writes: bool = False,
    told: Callable[[Observation], None] = lambda _observation: None,
) -> Iterator[Observing]:
    """A collector that asks the environment itself, and records what it sees in ``folder``.

    ``told`` gets each observation once it is recorded. Raises UsageError and OSError.
    """
    with contextlib.ExitStack() as closing:
        audit = Audit(folder / NAME)
        closing.callback(audit.close)
        clients: AnyClients | None = None
        if tested.aws:
            # What is not on AWS does without.
            from harness.aws import apart

            entered = apart.clients(tested.aws.region, tested.limits.deadline, audit)
            clients = closing.enter_context(entered)
        reach = Reach(tested.network, tested.tls)
        reach.check()
        way_in = _way_in(tested, clients)
        asking = Asking(tested, credentials, reach, way_in, clients, audit, writes=writes)
        recorder = closing.enter_context(Recorder(folder / "observations.jsonl"))

        def finished(observation: Observation) -> Observation:
            cleaned = redactor.clean(observation)
            recorder(cleaned)
            return cleaned

        collector = Collector(asking, finished, told)
        try:
            yield Observing(collector, clients)
        finally:
            collector.close()


def _way_in(tested: Environment, clients: AnyClients | None) -> WayIn | None:
    if tested.aws is None or clients is None:
        return None
    return EcsWayIn(tested.aws, clients.entering, tested.vantage.session_manager_plugin)
