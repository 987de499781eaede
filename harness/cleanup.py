"""Removes what journeys left behind in an environment, found by how they name what they make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from harness import journey
from harness.asking import Asking
from harness.audit import Audit
from harness.environment import Credentials, Environment
from harness.observation import JourneyObservation
from harness.probes.network import Reach
from harness.signatures import evidence
from harness.specs import JourneyProbe


def remove(tested: Environment, credentials: Credentials, audit: Audit) -> JourneyObservation:
    """Remove it all. Raises MissingCredential without an API key."""
    credentials.need_api_key()
    reach = Reach(tested.network, tested.tls)
    reach.check()
    asking = Asking(tested, credentials, reach, None, None, audit, writes=True)
    seconds = tested.limits.deadline
    probe = JourneyProbe(url=tested.registry.url, step_deadline=seconds)
    return asyncio.run(journey.clean(probe, asking.step))


def lines(found: JourneyObservation) -> Iterator[str]:
    """Yield what was done, for people."""
    if found.stopped:
        yield f"what is left cannot be listed: {evidence(found.steps[-1])}"
    yield from (f"not removed: {each}" for each in found.left_behind)
    if not found.stopped:
        yield f"{found.removed} left-overs named {found.name}… removed"
