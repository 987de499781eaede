"""What the edge needs to know of the control plane: load balancers, rules, target groups, health.

All values are frozen; the words and placeholders are those of the Elastic Load Balancing API
(version 2). Ports are the ones that AWS shows (80, 443); which loopback port stands for them is
`lab.edge.doors.bound_port`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lab.pki import Identity

EVERYWHERE = ("0.0.0.0/0",)


# --- conditions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostHeader:
    """`host-header`: the Host header without its port matches one pattern (any case, `*` and
    `?`).
    """

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`path-pattern`: the path without its query matches one pattern (case counts, `*` and `?`)."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HttpHeader:
    """`http-header`: one value of the named header matches one pattern (any case, `*` and `?`)."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HttpRequestMethod:
    """`http-request-method`: the method is one of these (case counts, no wildcards)."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryString:
    """`query-string`: one pair of the query matches one (key or None, value) (any case,
    wildcards).
    """

    values: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class SourceIp:
    """`source-ip`: the address of the connection (not X-Forwarded-For) lies in one of these
    CIDRs.
    """

    values: tuple[str, ...]


Condition = HostHeader | PathPattern | HttpHeader | HttpRequestMethod | QueryString | SourceIp


# --- actions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forward:
    """`forward`: target group ARNs with their weights (0..999)."""

    target_groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """`redirect`: the defaults are those of the API; `#{…}` placeholders are filled per request."""

    status_code: Literal[301, 302] = 301
    protocol: str = "#{protocol}"
    port: str = "#{port}"
    host: str = "#{host}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True, slots=True)
class FixedResponse:
    """`fixed-response`: answered by the load balancer itself."""

    status_code: int
    content_type: str = "text/plain"
    body: str = ""


Action = Forward | Redirect | FixedResponse


# --- listeners and load balancers -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """All conditions must hold. `priority` is None for the default rule, which has no condition."""

    arn: str
    priority: int | None
    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener. `rules` in the order of evaluation, the default rule last.

    `certificates` are references (ARNs) for the edge's certificate callable: the default one
    first, then those chosen by SNI. `ingress` are the source CIDRs that the load balancer's
    security groups admit to `port`: a packet from elsewhere is dropped, so its connection times
    out. A tester on this machine comes from 127.0.0.1, which stands for the internet: only
    0.0.0.0/0 (or a range around 127.0.0.1) admits it.
    """

    arn: str
    port: int
    protocol: Literal["HTTP", "HTTPS"]
    rules: tuple[Rule, ...]
    certificates: tuple[str, ...] = ()
    ingress: tuple[str, ...] = EVERYWHERE


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer on one loopback `address`; `idle_timeout` in seconds."""

    arn: str
    dns_name: str
    address: str
    listeners: tuple[Listener, ...] = ()
    idle_timeout: float = 60.0


# --- target groups --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a target is judged; seconds as AWS shows them (`Pace` of the edge compresses them)."""

    path: str = "/"
    matcher: str = "200"
    port: int | None = None
    protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    interval: float = 30.0
    timeout: float = 5.0
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A registered target: an IP address and the port that serves."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Registered targets and how they are checked. `protocol` is what the targets speak."""

    arn: str
    targets: tuple[Target, ...] = ()
    health_check: HealthCheck = field(default_factory=HealthCheck)
    protocol: Literal["HTTP", "HTTPS"] = "HTTP"


State = Literal["initial", "healthy", "unhealthy", "unused", "draining"]


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One line of DescribeTargetHealth; reason and description are None for a healthy target."""

    target: Target
    state: State
    reason: str | None = None
    description: str | None = None


# --- what the edge asks ---------------------------------------------------------------------------


class ControlPlane(Protocol):
    """What the edge asks for each request, on its own thread: answers must be quick."""

    def load_balancers(self) -> Sequence[LoadBalancer]:
        """Every load balancer as it is now."""

    def load_balancer(self, arn: str) -> LoadBalancer | None:
        """One load balancer as it is now; None when it was deleted."""

    def target_groups(self) -> Sequence[TargetGroup]:
        """Every target group as it is now."""

    def target_group(self, arn: str) -> TargetGroup | None:
        """One target group as it is now; None when it was deleted."""

    def allowed(self, source: str, address: str, port: int) -> bool:
        """Whether security groups and alike let `source` connect to `address:port`."""

    def certificate(self, reference: str) -> Identity | None:
        """The chain and key behind a listener's reference; None: the handshake fails."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the edge's clock runs; every value in seconds. AWS's own values are capped by these.

    `settling`: between health checks while a target's state is not certain (just registered, or the
    last check contradicts the state). `interval`: between those of a settled target.
    `registration`: how long a new target may fail before it counts as unhealthy (AWS: threshold
    times interval). `connect_timeout`: to a target (AWS: 10 s). `idle_timeout`: of a load
    balancer. `draining`: how long a deregistered target is shown. `reconcile`: between two looks
    at the control plane for listeners and targets; rules are looked up for each request anyway.
    """

    settling: float = 0.1
    interval: float = 1.0
    health_timeout: float = 5.0
    # Loopback connects in microseconds: what takes longer is a connection that is not let through.
    health_connect: float = 0.4
    registration: float = 3.0
    connect_timeout: float = 1.0
    idle_timeout: float = 60.0
    draining: float = 0.5
    reconcile: float = 0.5
