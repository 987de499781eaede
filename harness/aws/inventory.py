"""The inventory of one run: each section is read once, with what it builds on, concurrently."""

from __future__ import annotations

import asyncio

from harness.aws.client import Clients
from harness.aws.sections import SECTIONS, At, Earlier, Reader
from harness.collector import in_thread
from harness.environment import Environment
from harness.observation import AwsObservation, Failure
from harness.probes.stage import Clock, StageError
from harness.specs import AwsProbe

GRACE_S = 0.4


class Inventory:
    """Answers AwsProbes. Lives on the collector's loop."""

    def __init__(self, environment: Environment, clients: Reader | None = None) -> None:
        """``clients``, if the run has some already: each is made in a third of a second."""
        self._environment = environment
        self._sections: dict[str, asyncio.Task[AwsObservation]] = {}
        region = environment.need("aws.region") if environment.aws else ""
        self._clients = clients or Clients(region, environment.limits.deadline)

    async def observe(self, probe: AwsProbe) -> AwsObservation:
        """Return the section that the probe names."""
        return await self._section(probe.section, probe.deadline)

    def _section(self, name: str, deadline: float) -> asyncio.Task[AwsObservation]:
        if name not in self._sections:
            self._sections[name] = asyncio.ensure_future(self._read(name, deadline))
        return self._sections[name]

    async def _read(self, name: str, deadline: float) -> AwsObservation:
        entry = SECTIONS[name]
        names = [need.rstrip("?") for need in entry.needs]
        seen = await asyncio.gather(*(self._section(need, deadline) for need in names))
        for need, each in zip(entry.needs, seen, strict=True):
            if each.failure is not None and not need.endswith("?"):
                return self._observation(name, {}, each.failure)
        earlier = {need: each.response for need, each in zip(names, seen, strict=True)}
        return await self._ask(name, earlier, deadline)

    async def _ask(self, name: str, earlier: Earlier, deadline: float) -> AwsObservation:
        clock = Clock(deadline)
        clock.stage = "read"
        at = At(self._clients, self._environment, earlier)
        try:
            response = await in_thread(lambda: SECTIONS[name].read(at), deadline + GRACE_S)
        except (StageError, TimeoutError, OSError) as error:
            return self._observation(name, {}, clock.failure(error, f"AWS {name}"))
        return self._observation(name, response, None)

    def _observation(
        self, name: str, response: dict[str, object], failure: Failure | None
    ) -> AwsObservation:
        entry = SECTIONS[name]
        return AwsObservation(
            service=entry.service,
            operation=entry.operation,
            parameters={"section": name},
            response=response,
            failure=failure,
        )
