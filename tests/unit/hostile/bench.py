"""Asks hostile servers through the suite's own probes, and measures what that costs.

`python -m tests.unit.hostile.bench` writes docs/hostile-servers.md.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from harness import environment
from harness.asking import Asking
from harness.aws.client import Clients
from harness.collector import in_thread
from harness.environment import Credentials, Network, Tls
from harness.observation import Observation
from harness.probes.network import Reach
from harness.specs import Probe

ROOT = Path(__file__).parents[3]
DEADLINE, MAX_BYTES = 0.6, 65_536
# What the bench holds each behaviour to.
LATEST, GROWTH_MIB = DEADLINE + 0.5, 20.0
ANSWERED = "answered"
KEY = "hk_test_" + "q7" * 12


class Behaviour(NamedTuple):
    """One way to misbehave: the server (its port), what is asked of it, what may be made of it."""

    name: str
    serve: Callable[[], AbstractContextManager[int]]
    ask: Callable[[int], Probe]
    expected: frozenset[str]


class Outcome(NamedTuple):
    """What came of one behaviour."""

    behaviour: Behaviour
    observation: Observation
    seconds: float
    grown_mib: float

    @property
    def kind(self) -> str:
        """The kind of the failure, or that there was an answer."""
        failure = self.observation.failure
        return str(failure.kind) if failure else ANSWERED


def outcome(behaviour: Behaviour) -> Outcome:
    """Let one server misbehave, and ask it."""
    with behaviour.serve() as port:
        seen, seconds, grown = asyncio.run(_ask(behaviour.ask(port), port))
    return Outcome(behaviour, seen, seconds, grown)


async def _ask(probe: Probe, port: int) -> tuple[Observation, float, float]:
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    os.environ["HOSTILE_PASSWORD"] = KEY
    tested = environment.load("prod", ROOT / "environments", {"HOKUSAI_LIMITS_DEADLINE": "0.6"})
    network = Network(resolver=f"127.0.0.1:{port}", connect_to=())
    tested = _with(tested, network)
    clients = Clients("us-east-1", DEADLINE)
    reach = Reach(network, Tls())
    asking = Asking(tested, Credentials(api_key=KEY), reach, None, clients)
    # Importing is no part of asking.
    await in_thread(lambda: clients.client("ecs"), 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    seen = await asking.ask(probe)
    seconds = time.monotonic() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return seen, seconds, grown / 1024


def _with(tested: environment.Environment, network: Network) -> environment.Environment:
    import msgspec

    return msgspec.structs.replace(tested, network=network)


def table(outcomes: list[Outcome]) -> str:
    """Return the table of the documentation."""
    rows = [
        f"| {each.behaviour.name} | {type(each.observation).__name__.removesuffix('Observation')} "
        f"| {each.kind} | {each.seconds:.2f} | {each.grown_mib:.1f} |"
        for each in outcomes
    ]
    slow = [each for each in outcomes if each.seconds > LATEST]
    fat = [each for each in outcomes if each.grown_mib > GROWTH_MIB]
    return "\n".join(
        [
            "# Hostile servers",
            "",
            f"{len(outcomes)} behaviours, each asked through the suite's own probe with a deadline "
            f"of {DEADLINE} s and a cap of {MAX_BYTES} bytes: what was made of it, seconds, and "
            "growth of the peak memory in MiB.",
            f"Later than the deadline + 0.5 s: {len(slow) or 'none'}. Grown by more than "
            f"{GROWTH_MIB:.0f} MiB: {len(fat) or 'none'}.",
            "Written by `.venv/bin/python -m tests.unit.hostile.bench`; the kinds are held by "
            "`tests/unit/hostile`.",
            "",
            "| behaviour | probe | kind | seconds | MiB |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def main() -> int:
    """Run every behaviour, write the table; returns 1 if one is out of bounds."""
    from tests.unit.hostile.behaviours import BEHAVIOURS

    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")
    outcome(BEHAVIOURS[0])  # what is imported and cached once is not the servers' doing
    outcomes = []
    for behaviour in BEHAVIOURS:
        outcomes.append(outcome(behaviour))
        print(f"{outcomes[-1].seconds:6.2f} s  {outcomes[-1].kind:20} {behaviour.name}", flush=True)
    (ROOT / "docs" / "hostile-servers.md").write_text(table(outcomes))
    wrong = [
        each
        for each in outcomes
        if each.seconds > LATEST
        or each.grown_mib > GROWTH_MIB
        or each.kind not in each.behaviour.expected
    ]
    for each in wrong:
        print(f"OUT OF BOUNDS: {each.behaviour.name}: {each.kind}, {each.seconds:.2f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
