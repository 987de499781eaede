"""Health checks of targets: what one check finds, and what state follows from the checks so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import h11

from lab.edge.model import (
    ControlPlane,
    HealthCheck,
    Pace,
    State,
    Target,
    TargetGroup,
    TargetHealth,
)
from lab.edge.upstream import connect
from lab.edge.wire import Wire

_USER_AGENT = "ELB-HealthChecker/2.0"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; reason and description (as AWS words them) are None when it passed."""

    reason: str | None = None
    description: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the target answered as it should."""
        return self.reason is None


_REGISTERING = Finding("Elb.RegistrationInProgress", "Target registration is in progress")
_FIRST_CHECKS = Finding("Elb.InitialHealthChecking", "Initial health checks in progress")
_TIMED_OUT = Finding("Target.Timeout", "Request timed out")
_FAILED = Finding("Target.FailedHealthChecks", "Health checks failed")
_NOT_IN_USE = Finding(
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
_DRAINING = Finding("Target.DeregistrationInProgress", "Target deregistration is in progress")


@dataclass(slots=True)
class Record:
    """One target's state, and what speaks against it."""

    state: State = "initial"
    finding: Finding = _REGISTERING
    since: float = field(default_factory=time.monotonic)
    good: int = 0
    bad: int = 0
    checked: int = -1

    def note(self, finding: Finding, check: HealthCheck, registration: float) -> None:
        """Count one check and change the state when AWS's thresholds are met."""
        if finding.passed:
            self._passed(check)
        else:
            self._failed(finding, check, registration)

    def _passed(self, check: HealthCheck) -> None:
        self.good, self.bad = self.good + 1, 0
        # A newly registered target needs to pass once only.
        if self.state == "initial" or self.good >= check.healthy_threshold:
            self.state, self.finding = "healthy", Finding()

    def _failed(self, finding: Finding, check: HealthCheck, registration: float) -> None:
        self.good, self.bad = 0, self.bad + 1
        if self.state == "initial" and time.monotonic() - self.since < registration:
            self.finding = _FIRST_CHECKS
        elif self.state == "unhealthy" or self.bad >= check.unhealthy_threshold:
            self.state, self.finding = "unhealthy", finding

    def settled(self) -> bool:
        """Whether the last check agrees with the state."""
        return (
            bool(self.good)
            if self.state == "healthy"
            else self.state == "unhealthy" and bool(self.bad)
        )

    def shown(self, target: Target) -> TargetHealth:
        """As DescribeTargetHealth shows it."""
        return TargetHealth(target, self.state, self.finding.reason, self.finding.description)


def registering(target: Target) -> TargetHealth:
    """A target that was registered a moment ago."""
    return Record().shown(target)


def unused(target: Target) -> TargetHealth:
    """A target of a group that no listener forwards to: it is not checked."""
    return Record("unused", _NOT_IN_USE).shown(target)


def draining(target: Target) -> TargetHealth:
    """A target that was deregistered a moment ago."""
    return Record("draining", _DRAINING).shown(target)


async def check(
    control: ControlPlane, source: str, group: TargetGroup, target: Target, pace: Pace
) -> Finding:
    """Check one target once, from the load balancer's own address."""
    wanted = group.health_check
    where = Target(target.address, wanted.port or target.port)
    timeout = min(wanted.timeout, pace.health_timeout)
    deadline = time.monotonic() + timeout
    patience = min(timeout, pace.health_connect)
    try:
        wire = await connect(control, source, where, patience, encrypted=wanted.protocol == "HTTPS")
        try:
            status = await _status(wire, where, wanted.path, deadline)
        finally:
            wire.abort()
    except TimeoutError:
        return _TIMED_OUT
    except (OSError, h11.ProtocolError):
        return _FAILED
    if not _matches(wanted.matcher, status):
        words = f"Health checks failed with these codes: [{status}]"
        return Finding("Target.ResponseCodeMismatch", words)
    return Finding()


async def _status(wire: Wire, where: Target, path: str, deadline: float) -> int:
    """Ask, and read the whole answer: hanging in the middle is not healthy."""
    headers = [("Host", f"{where.address}:{where.port}"), ("User-Agent", _USER_AGENT)]
    headers.append(("Connection", "close"))
    wire.queue(h11.Request(method="GET", target=path, headers=headers))
    wire.queue(h11.EndOfMessage())
    status = 0
    while True:
        event = await wire.event(max(0.0, deadline - time.monotonic()))
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.EndOfMessage):
            return status
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("closed without an answer")


def _matches(matcher: str, status: int) -> bool:
    """`200`, `200,308` or `200-299`."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
