"""Which probe is answered by what: the one place that knows all kinds of probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness import journey, requirements, vantage
from harness.audit import Audit
from harness.collector import in_thread
from harness.environment import Credentials, Environment
from harness.errors import Missing, MissingCredential
from harness.guard import Guard
from harness.observation import (
    DnsObservation,
    Failure,
    FailureKind,
    HttpObservation,
    Observation,
)
from harness.probes import http, names, tcp, tls
from harness.probes.blank import unanswered
from harness.probes.network import Reach
from harness.probes.stage import Clock, StageError
from harness.specs import (
    AwsProbe,
    ClientProbe,
    ContractProbe,
    DnsProbe,
    HttpProbe,
    JourneyProbe,
    PostgresProbe,
    Probe,
    TcpProbe,
    TlsProbe,
)

if TYPE_CHECKING:
    from harness.aws.inventory import Inventory
    from harness.aws.sections import Reader

THREAD_GRACE = 0.15
NO_WAY_IN = Failure(
    kind=FailureKind.NO_VANTAGE_POINT,
    message="this environment gives no way into a task",
    remedy="give the environment an aws section: ECS Exec is the way into a task",
)


class Asking:
    """Asks the probes of one environment, through one guard."""

    def __init__(
        self,
        environment: Environment,
        credentials: Credentials,
        reach: Reach,
        way_in: vantage.WayIn | None,
        clients: Reader | None = None,
        audit: Audit | None = None,
        *,
        writes: bool = False,
    ) -> None:
        """``writes`` allows the journey, and nothing else that writes."""
        self._environment, self._credentials = environment, credentials
        self._reach, self._way_in = reach, way_in
        self._guard = Guard(environment.limits, audit, writes=writes)
        self._clients = clients
        self._inventory: Inventory | None = None

    async def ask(self, probe: Probe) -> Observation:
        """Answer one probe from the runner, unless the guard refuses it."""
        if lacking := self._lacking(probe):
            return unanswered(probe, lacking)
        match probe:
            case HttpProbe():
                return await self._http(probe)
            case TcpProbe():
                return await tcp.observe(probe, self._reach)
            case TlsProbe():
                return await tls.observe(probe, self._reach)
            case DnsProbe():
                return await self._dns(probe)
            case AwsProbe():
                return await self._aws().observe(probe)
            case JourneyProbe():
                return await journey.observe(probe, self.step)
            case _:
                return await self._blocking(probe)

    def _aws(self) -> Inventory:
        from harness.aws.inventory import Inventory

        self._inventory = self._inventory or Inventory(self._environment, self._clients)
        return self._inventory

    async def step(self, probe: HttpProbe) -> HttpObservation:
        """Answer one request of a journey, unless the guard refuses it."""
        if refused := self._guard.refusal(probe):
            return HttpObservation(method=probe.method, url=probe.url, failure=refused)
        seen = await http.observe(probe, self._reach, self._credentials)
        return msgspec.structs.replace(seen, label=probe.label)

    async def ask_task(self, service: str, probes: list[Probe]) -> list[Observation]:
        """Answer probes inside a task, those that the guard admits."""
        refusals = {probe.key: self._lacking(probe) for probe in probes}
        asked = [probe for probe in probes if refusals[probe.key] is None]
        answers = iter(await self._in_task(service, asked))
        return [
            unanswered(probe, refusal) if (refusal := refusals[probe.key]) else next(answers)
            for probe in probes
        ]

    def _lacking(self, probe: Probe) -> Failure | None:
        try:
            requirements.check(probe, self._environment, self._credentials)
        except Missing as error:
            credential = isinstance(error, MissingCredential)
            kind = FailureKind.MISSING_CREDENTIAL if credential else FailureKind.MISSING_SETTING
            return Failure(kind=kind, message=error.reason, remedy=error.remedy)
        return self._guard.refusal(probe)

    async def _in_task(self, service: str, probes: list[Probe]) -> list[Observation]:
        if not probes:
            return []
        way_in = self._way_in
        if way_in is None:
            return [unanswered(probe, NO_WAY_IN) for probe in probes]
        bound = max(probe.deadline for probe in probes) + 2 * vantage.START_ALLOWANCE
        return await in_thread(lambda: vantage.ask(way_in, service, probes), bound)

    async def _http(self, probe: HttpProbe) -> Observation:
        return await http.observe(probe, self._reach, self._credentials)

    async def _dns(self, probe: DnsProbe) -> Observation:
        if (resolver := self._environment.network.resolver) is not None:
            return await names.observe(probe, resolver)
        clock = Clock(probe.deadline)
        try:
            found = await self._reach.resolve(probe.name)
        except (StageError, TimeoutError) as error:
            return unanswered(probe, clock.failure(error, probe.name))
        return DnsObservation(name=probe.name, answers=tuple(dict.fromkeys(found)))

    async def _blocking(self, probe: Probe) -> Observation:
        clock = Clock(probe.deadline)
        clock.stage = "read"
        try:
            return await in_thread(lambda: self._now(probe), probe.deadline + THREAD_GRACE)
        except TimeoutError as error:
            return unanswered(probe, clock.failure(error, probe.label))

    def _now(self, probe: Probe) -> Observation:
        match probe:
            case ClientProbe():
                # requests takes 0.17 s to import: only where a client's view is asked for.
                from harness.probes import client

                return client.observe(probe, self._reach)
            case ContractProbe():
                from harness.probes import contract

                return contract.observe(probe, self._environment.need(probe.setting))
            case PostgresProbe():
                return vantage.ask_here(probe)
            case _:
                raise TypeError(f"{type(probe).__name__} cannot be asked from the runner")
