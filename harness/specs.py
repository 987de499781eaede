"""Probe specifications: what to ask, from where, within which bounds. Data only.

A specification is hashable and serialisable, so that the same question is asked once in a run,
by whichever worker, and so that a task can be sent it as JSON. It names credentials, it never
holds one.

In a specification for a task, ``${NAME}`` and ``${NAME:-otherwise}`` stand for the task's own
environment variables, and are filled in inside the task.
"""

import functools
import hashlib
from typing import Literal

import msgspec

RUNNER = "runner"
KeyForm = Literal["x-api-key", "bearer", "apikey", "query"]
# The status codes that refuse a key.
REFUSED = frozenset({401, 403})
DURATIONS = ("deadline", "step_deadline")
KEY_FORMS: tuple[KeyForm, ...] = ("x-api-key", "bearer", "apikey", "query")


class Probe(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="none",
    dict=True,
):
    """What every probe has: a vantage point, one total deadline in seconds, a size cap in bytes."""

    vantage: str = RUNNER
    deadline: float = 4.0
    max_bytes: int = 262_144

    def __post_init__(self) -> None:
        # Of 4 and 4.0, JSON makes two texts, and the key would be two.
        for name in DURATIONS:
            if isinstance(given := getattr(self, name, None), int):
                msgspec.structs.force_setattr(self, name, float(given))

    @functools.cached_property
    def key(self) -> str:
        """Identity of the question: equal questions have equal keys, in every process."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]

    @property
    def label(self) -> str:
        """One line for people."""
        return f"{type(self).__name__} from {self.vantage}"


class HttpProbe(Probe, frozen=True, kw_only=True, tag="http"):
    """One HTTP request. ``api_key`` says in which form the environment's API key is sent.

    ``any`` is each documented form in turn, until one gets past authentication: for what lies
    behind it, whichever form works.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    api_key: KeyForm | Literal["any"] | None = None
    body: str | None = None
    redirects: int = 0

    @property
    def label(self) -> str:
        forms = {None: "", "any": " with the API key in any form"}
        form = forms.get(self.api_key, f" with the API key as {self.api_key}")
        return f"{self.method} {self.url}{form} from {self.vantage}"


class ClientProbe(Probe, frozen=True, kw_only=True, tag="client"):
    """The same request by an ordinary client library (requests) that follows redirects."""

    url: str
    method: str = "GET"

    @property
    def label(self) -> str:
        return f"{self.method} {self.url} by a requests client from {self.vantage}"


class DnsProbe(Probe, frozen=True, kw_only=True, tag="dns"):
    """One look-up by the vantage point's own resolver."""

    name: str
    record: str = "A"

    @property
    def label(self) -> str:
        return f"resolve {self.name} {self.record} from {self.vantage}"


class TcpProbe(Probe, frozen=True, kw_only=True, tag="tcp"):
    """One TCP connection; ``port`` is text so that it may name a task's variable."""

    host: str
    port: str

    @property
    def label(self) -> str:
        return f"connect to {self.host}:{self.port} from {self.vantage}"


class TlsProbe(Probe, frozen=True, kw_only=True, tag="tls"):
    """One TLS handshake with the name ``host``, judged by the environment's trust store."""

    host: str
    port: int = 443

    @property
    def label(self) -> str:
        return f"TLS handshake with {self.host}:{self.port} from {self.vantage}"


class PostgresProbe(Probe, frozen=True, kw_only=True, tag="postgres"):
    """One database login, and read-only questions once in.

    ``password`` names where the vantage point finds it: a ``${VARIABLE}``, never a value.
    """

    host: str
    user: str
    database: str
    password: str
    port: str = "5432"
    sslmode: str = "prefer"

    @property
    def label(self) -> str:
        return f"log in to {self.database} at {self.host} as {self.user} from {self.vantage}"


class VariablesProbe(Probe, frozen=True, kw_only=True, tag="variables"):
    """Which of these environment variables the task has; the values of ``names`` only."""

    names: tuple[str, ...]
    secret_names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"environment variables of {self.vantage}"


class ContractProbe(Probe, frozen=True, kw_only=True, tag="contract"):
    """Hold the class ``target`` (``module:Class``) to a named contract.

    ``setting`` is the environment's setting that says in which folder the module is.
    """

    contract: str
    setting: str
    target: str

    @property
    def label(self) -> str:
        return f"{self.contract} contract of {self.target}"


class JourneyProbe(Probe, frozen=True, kw_only=True, tag="journey"):
    """The journey of a model through the registry's MLflow proxy: see ``harness.journey``.

    It writes. ``step_deadline``, in seconds, bounds each of its requests.
    """

    url: str
    step_deadline: float = 4.0

    @property
    def label(self) -> str:
        return f"register a model through {self.url} from {self.vantage}, and remove it again"


class AwsProbe(Probe, frozen=True, kw_only=True, tag="aws"):
    """One section of the AWS control plane: see ``harness.aws.sections``."""

    section: str

    @property
    def label(self) -> str:
        return f"AWS: {self.section.replace('-', ' ')}"


AnyProbe = (
    HttpProbe
    | ClientProbe
    | DnsProbe
    | TcpProbe
    | TlsProbe
    | PostgresProbe
    | VariablesProbe
    | ContractProbe
    | JourneyProbe
    | AwsProbe
)
