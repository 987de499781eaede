"""Observations: what a probe saw, as immutable, serialisable, already redacted values.

An observation never judges. It says what was asked, what came back, or how asking failed.
"""

from enum import StrEnum
from typing import Any

import msgspec


class FailureKind(StrEnum):
    """How asking failed. The values are stable: signatures and history hang on them."""

    DNS_NXDOMAIN = "dns-nxdomain"
    DNS_NO_ANSWER = "dns-no-answer"
    DNS_SERVFAIL = "dns-servfail"
    DNS_TIMEOUT = "dns-timeout"
    CONNECT_REFUSED = "connect-refused"
    CONNECT_TIMEOUT = "connect-timeout"
    CONNECT_RESET = "connect-reset"
    CONNECT_UNREACHABLE = "connect-unreachable"
    TLS_VERIFY = "tls-verify"
    TLS_HANDSHAKE = "tls-handshake"
    READ_TIMEOUT = "read-timeout"
    READ_RESET = "read-reset"
    PROTOCOL_ERROR = "protocol-error"
    TOO_LARGE = "too-large"
    REDIRECT_REFUSED = "redirect-refused"
    AUTH_FAILED = "auth-failed"
    DATABASE_ERROR = "database-error"
    SETTING_EMPTY = "setting-empty"
    CONTRACT_UNLOADABLE = "contract-unloadable"
    AWS_ERROR = "aws-error"
    INTERNAL_ERROR = "internal-error"
    # The kinds below mean that nothing about the platform was learnt.
    MISSING_CREDENTIAL = "missing-credential"
    MISSING_SETTING = "missing-setting"
    NO_VANTAGE_POINT = "no-vantage-point"
    NOT_PERMITTED = "not-permitted"
    BUDGET_EXHAUSTED = "budget-exhausted"
    RUNNER_OFFLINE = "runner-offline"


UNJUDGEABLE = frozenset(
    {
        FailureKind.INTERNAL_ERROR,
        FailureKind.MISSING_CREDENTIAL,
        FailureKind.MISSING_SETTING,
        FailureKind.NO_VANTAGE_POINT,
        FailureKind.NOT_PERMITTED,
        FailureKind.BUDGET_EXHAUSTED,
        FailureKind.RUNNER_OFFLINE,
    }
)


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a probe has no answer; ``remedy`` says what would give one, where that is known."""

    kind: FailureKind
    message: str
    remedy: str | None = None

    @property
    def unjudgeable(self) -> bool:
        """True if the failure is the suite's own lack, and says nothing about the platform."""
        return self.kind in UNJUDGEABLE

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class Observation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="none"
):
    """What every observation tells: ``started`` in Unix seconds, durations in milliseconds."""

    probe: str = ""
    label: str = ""
    vantage: str = "runner"
    started: float = 0.0
    duration_ms: float = 0.0
    failure: Failure | None = None


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answered request on the way to the last one: a redirect that was followed."""

    url: str
    status: int
    location: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try of several that a probe's specification asks for, and how it ended."""

    what: str
    status: int | None = None


class HttpObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="http"):
    """An HTTP exchange. ``timings`` in milliseconds: dns, connect, tls, first_byte, total."""

    method: str = "GET"
    url: str = ""
    request_headers: dict[str, str] = {}
    status: int | None = None
    headers: dict[str, str] = {}
    body: str = ""
    body_bytes: int = 0
    address: str | None = None
    hops: tuple[Hop, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    timings: dict[str, float] = {}


class DnsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="dns"):
    """A name look-up: ``answers`` are addresses (or targets), ``resolver`` is who was asked."""

    name: str = ""
    record: str = "A"
    rcode: str | None = None
    answers: tuple[str, ...] = ()
    ttl: int | None = None
    resolver: str | None = None


class TcpObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="tcp"):
    """A TCP connection attempt, closed as soon as it stands."""

    host: str = ""
    port: int = 0
    address: str | None = None


class Certificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One certificate of a chain; times in Unix seconds."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_before: float = 0.0
    not_after: float = 0.0
    sha256: str = ""


class TlsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="tls"):
    """A TLS handshake, the leaf first in ``chain``; not trusted is ``tls-verify``."""

    host: str = ""
    port: int = 443
    address: str | None = None
    version: str | None = None
    cipher: str | None = None
    chain: tuple[Certificate, ...] = ()


class PostgresObservation(
    Observation, frozen=True, kw_only=True, omit_defaults=True, tag="postgres"
):
    """A database login. ``message`` is the server's (or the driver's) own text."""

    host: str = ""
    port: int = 5432
    user: str = ""
    database: str = ""
    sslmode: str = "prefer"
    sqlstate: str | None = None
    message: str = ""
    server_version: str | None = None
    facts: dict[str, str] = {}


class Variable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One environment variable of a task; ``value`` only where it is not a secret."""

    name: str
    present: bool
    value: str | None = None
    sha256_8: str | None = None


class VariablesObservation(
    Observation, frozen=True, kw_only=True, omit_defaults=True, tag="variables"
):
    """Which environment variables a task really has."""

    variables: tuple[Variable, ...] = ()


class ContractCase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One requirement that a class was held to."""

    id: str
    passed: bool
    message: str = ""


class ContractObservation(
    Observation, frozen=True, kw_only=True, omit_defaults=True, tag="contract"
):
    """How a class kept its contract, case by case."""

    source: str = ""
    target: str = ""
    cases: tuple[ContractCase, ...] = ()


class JourneyObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="journey"):
    """A journey that wrote: its requests in order, where it stopped, what could not be removed.

    ``stopped`` is empty if it came to its end; ``removed`` counts what a clean-up removed.
    """

    name: str = ""
    steps: tuple[HttpObservation, ...] = ()
    stopped: str = ""
    left_behind: tuple[str, ...] = ()
    removed: int = 0


class AwsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="aws"):
    """An AWS read operation and its (paginated, merged) response as plain JSON."""

    service: str = ""
    operation: str = ""
    parameters: dict[str, Any] = {}
    response: dict[str, Any] = {}
    error_code: str | None = None


AnyObservation = (
    HttpObservation
    | DnsObservation
    | TcpObservation
    | TlsObservation
    | PostgresObservation
    | VariablesObservation
    | ContractObservation
    | JourneyObservation
    | AwsObservation
)

# How long these take says nothing of the platform's latency.
UNTIMED = (AwsObservation, ContractObservation, JourneyObservation, VariablesObservation)
