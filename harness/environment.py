"""An environment: where one deployment is, and the bounds within which it may be probed.

One YAML file each in ``environments/``. Every value can be overridden by the environment variable
``HOKUSAI_<SECTION>_<KEY>`` (lists: comma-separated). Credentials come from variables only.
"""

import datetime
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from harness import settings_file
from harness.errors import MissingCredential, MissingSetting, UsageError

Severity = Literal["p0", "p1", "p2", "p3"]


def _like(example: str, pattern: str) -> Meta:
    settings_file.EXAMPLES[pattern] = example
    return Meta(pattern=pattern)


Url = Annotated[
    str, _like("https://host or http://host:port, without a path", r"^https?://[^\s/?#]+$")
]
HostPort = Annotated[str, _like("host:port", r"^[^\s:]+:\d{1,5}$")]
ConnectTo = Annotated[str, _like("host:port:address:port", r"^[^\s:]+:\d{1,5}:[^\s:]+:\d{1,5}$")]
ClassName = Annotated[str, _like("module:Class", r"^[\w.]+:\w+$")]
Seconds = Annotated[float, Meta(gt=0, le=300)]
Count = Annotated[int, Meta(gt=0)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Registry(_Section, frozen=True, kw_only=True):
    """The registry API: its public address."""

    url: Url


class Auth(_Section, frozen=True, kw_only=True):
    """The auth service: its public address, and the service id that keys are validated for."""

    url: Url | None = None
    service_id: str | None = None


class Mlflow(_Section, frozen=True, kw_only=True):
    """MLflow as the documents name it inside the network."""

    url: Url | None = None


class Database(_Section, frozen=True, kw_only=True):
    """The database as it should be used; ``fallback_user`` is the build's silent default."""

    instance: str | None = None
    name: str = "mlflow_db"
    user: str = "mlflow"
    fallback_user: str = "postgres"
    port: int = 5432
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"


class Service(_Section, frozen=True, kw_only=True):
    """One ECS service and the container in it that does the work.

    ``image`` is how the expected image's reference ends (a tag or a digest); ``health`` is the
    path and the HTTP codes of its load balancer's health check. ``load_balancer`` is that load
    balancer's name: without it, it is the one whose listeners lead to the target group, and cannot
    be found once none does.
    """

    service: str
    container: str
    port: int
    target_group: str
    health: tuple[str, str]
    image: str | None = None
    load_balancer: str | None = None


class Aws(_Section, frozen=True, kw_only=True):
    """Names of the AWS resources. ``None`` for an environment without AWS."""

    region: str
    cluster: str
    services: dict[str, Service]
    secret: str
    secret_key: str


class CircuitBreaker(_Section, frozen=True, kw_only=True):
    """The circuit breaker class to hold to its contract: a folder and ``module:Class``."""

    source: str | None = None
    target: ClassName = "circuit_breaker:CircuitBreaker"


class Network(_Section, frozen=True, kw_only=True):
    """How the runner reaches hosts: curl's ``--connect-to`` entries, and a resolver of its own."""

    connect_to: tuple[ConnectTo, ...] = ()
    resolver: HostPort | None = None


class Tls(_Section, frozen=True, kw_only=True):
    """What the runner trusts: a PEM bundle, or the system's trust store."""

    ca_bundle: str | None = None
    min_days_left: int = 14


class Vantage(_Section, frozen=True, kw_only=True):
    """The way into a task is ECS Exec, for which the environment needs its aws section.

    ``session_manager_plugin`` is AWS's plugin, if it is to be used instead of the own client;
    ``printed_as``: printed steps enter a task with the aws CLI, or with the suite's own command.
    """

    session_manager_plugin: str | None = None
    printed_as: Literal["aws", "suite"] = "aws"


class Limits(_Section, frozen=True, kw_only=True):
    """Bounds: seconds and bytes of one probe; requests per host, probes and seconds of a run.

    Past ``run_seconds`` nothing more is asked; what is under way ends by its own deadline.
    """

    deadline: Seconds = 4.0
    run_seconds: Annotated[float, Meta(gt=0, le=3600)] = 300.0
    max_bytes: Count = 262_144
    requests_per_host: Count = 200
    probes: Count = 2_000


class Policy(_Section, frozen=True, kw_only=True):
    """What decides: a blocked check of the severities in ``must_judge`` fails a run.

    ``blocks`` are the severities whose checks the gate runs: a failed one stops a deployment.
    ``writes`` runs the checks that write without ``--allow-writes``: for the lab.
    """

    must_judge: tuple[Severity, ...] = ("p0",)
    blocks: tuple[Severity, ...] = ("p0", "p1")
    writes: bool = False


class Waiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known and borne for a time: one documented failure, or one check.

    Through the day ``until`` (UTC) it does not fail a run; from then on the waiver itself does.
    """

    failure: str | None = None
    check: str | None = None
    reason: Annotated[str, Meta(min_length=1)]
    owner: Annotated[str, Meta(min_length=1)]
    until: datetime.date

    def __post_init__(self) -> None:
        if (self.failure is None) == (self.check is None):
            raise ValueError("a waiver names one failure or one check")

    @property
    def covers(self) -> str:
        """The id of what is waived."""
        return self.failure or self.check or ""


class Environment(_Section, frozen=True, kw_only=True):
    """One deployment under test.

    ``contacts`` says how to reach an owner named in ``failures/``; ``shell`` is the command that
    gives a shell what the printed commands need.
    """

    name: str
    description: str
    registry: Registry
    auth: Auth = Auth()
    mlflow: Mlflow = Mlflow()
    database: Database = Database()
    aws: Aws | None = None
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    network: Network = Network()
    tls: Tls = Tls()
    vantage: Vantage = Vantage()
    limits: Limits = Limits()
    policy: Policy = Policy()
    not_applicable: dict[str, str] = {}
    contacts: dict[str, str] = {}
    waivers: tuple[Waiver, ...] = ()
    shell: str | None = None

    def need(self, path: str) -> str:
        """Return the setting at ``path`` (``section.key``). Raises MissingSetting if not set."""
        value: Any = self
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        if value is None or value == "":
            raise MissingSetting(path, variable_for(path), self.name)
        return str(value)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Secrets of this run. Never serialised, never printed."""

    api_key: str | None = None

    def need_api_key(self) -> str:
        """Return the API key. Raises MissingCredential."""
        if not self.api_key:
            raise MissingCredential(
                "HOKUSAI_API_KEY", "export HOKUSAI_API_KEY=<a valid key of this environment>"
            )
        return self.api_key

    def __repr__(self) -> str:
        return "Credentials(…)"


def variable_for(path: str) -> str:
    """Return the environment variable that overrides the setting at ``path``."""
    return "HOKUSAI_" + path.replace(".", "_").upper()


def known_environments(folder: Path) -> list[str]:
    """Return the names of the environments in ``folder``, sorted."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def load(name: str, folder: Path, variables: Mapping[str, str] = os.environ) -> Environment:
    """Return the environment ``name``. Raises UsageError for anything wrong with it."""
    path = folder / f"{name}.yaml"
    if name not in known_environments(folder):
        known = ", ".join(known_environments(folder)) or "none"
        raise UsageError(
            f"unknown environment '{name}': {folder.name}/ has {known}. "
            f"Choose one of them (ENV=… or --env …), or add {folder.name}/{name}.yaml"
        )
    document = settings_file.read_mapping(path)
    document.setdefault("name", name)
    _override(document, Environment, "", variables)
    found = settings_file.convert(document, Environment, path)
    if found.policy.writes and (variable := variable_for("policy.writes")) in variables:
        # One that is left over in a shell must not make a run write.
        raise UsageError(f"{variable}: a variable cannot allow writes; --allow-writes does, once")
    return found


def credentials(variables: Mapping[str, str] = os.environ) -> Credentials:
    """Return the credentials that this process was given. Raises UsageError if malformed."""
    key = variables.get("HOKUSAI_API_KEY")
    if key and not all("!" <= letter <= "~" for letter in key):
        raise UsageError("HOKUSAI_API_KEY has spaces or other letters that no key has")
    return Credentials(api_key=key or None)


def _override(
    document: dict[str, Any], kind: type, prefix: str, variables: Mapping[str, str]
) -> None:
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.encode_name}"
        section = _section_of(field.type)
        if section is not None:
            _override_section(document, field.encode_name, section, path, variables)
        elif (raw := variables.get(variable_for(path))) is not None and prefix:
            document[field.encode_name] = _parse(raw, field.type, variable_for(path))


def _override_section(
    document: dict[str, Any], key: str, section: type, path: str, variables: Mapping[str, str]
) -> None:
    inner = dict(document.get(key) or {})
    before = dict(inner)
    _override(inner, section, f"{path}.", variables)
    if inner != before:
        document[key] = inner


def _section_of(annotation: Any) -> type | None:
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next(
        (c for c in candidates if isinstance(c, type) and issubclass(c, _Section)),
        None,
    )


def _parse(raw: str, annotation: Any, variable: str) -> Any:
    value: Any = raw
    if "tuple" in str(annotation):
        value = [part.strip() for part in raw.split(",") if part.strip()]
    elif "dict" in str(annotation):
        raise UsageError(f"{variable}: this setting can only be given in the YAML file")
    try:
        return msgspec.to_builtins(msgspec.convert(value, annotation, strict=False))
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{variable}: {settings_file.told(error).replace(' - at `$[0]`', '')}"
        ) from None


def unknown_variables(variables: Mapping[str, str] = os.environ) -> dict[str, list[str]]:
    """Return the HOKUSAI_* variables that set nothing, each with the settings it may stand for."""
    known = {"HOKUSAI_API_KEY", *(variable for _path, variable in settings(Environment))}
    unknown = sorted({name for name in variables if name.startswith("HOKUSAI_")} - known)
    if not unknown:
        return {}
    import difflib  # every run would wait for it

    return {name: difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in unknown}


def settings(environment: Environment | type[Environment]) -> Iterator[tuple[str, str]]:
    """Yield every overridable setting's path and its variable, for ``--help`` and the docs."""
    for field in msgspec.structs.fields(environment):
        section = _section_of(field.type)
        for inner in msgspec.structs.fields(section) if section else ():
            path = f"{field.name}.{inner.name}"
            yield path, variable_for(path)
