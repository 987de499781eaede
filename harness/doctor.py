"""What a run on an environment would lack, told before it is missed: one line a thing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from harness import environment
from harness.aws.sections import SECTIONS
from harness.bundle import collect
from harness.bundle.source import Source
from harness.environment import Environment
from harness.observation import (
    AwsObservation,
    FailureKind,
    HttpObservation,
    Observation,
    TlsObservation,
)
from harness.observing import observing
from harness.project import load_environment
from harness.redaction import Redactor
from harness.reports.deployment import identity_in
from harness.specs import AwsProbe, DnsProbe, HttpProbe, Probe, TlsProbe, VariablesProbe

OLDEST = (3, 11)
PACKAGES = ("pytest", "pytest-xdist", "pytest-testinfra", "allure-pytest", "boto3", "requests")
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy")
# AWS refuses signatures that are five minutes off; certificates are judged by the same clock.
MOST_SKEW_S = 60.0
LEAST_FREE = 200 * 1024 * 1024
BUNDLE_WITHIN_S = 20.0


class Line(NamedTuple):
    """One thing: fine, or what is wrong with it, and what to do."""

    what: str
    fine: bool
    told: str
    remedy: str = ""

    def __str__(self) -> str:
        lines = f"{'OK  ' if self.fine else 'TODO'} {self.what}: {self.told}"
        return f"{lines}\n       do: {self.remedy}" if self.remedy and not self.fine else lines


def examine(name: str, folder: Path, variables: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """Yield every line, as it becomes known. Raises UsageError for a broken environment file."""
    tested = load_environment(name, variables)
    credentials = environment.credentials(variables)
    yield from _machine(variables)
    yield Line("environment", True, f"{tested.name}: {tested.description}")
    for variable, near in environment.unknown_variables(variables).items():
        if near:
            remedy = f"is {near[0]} meant? then rename it"
            yield Line(f"variable {variable}", False, "it is no setting", remedy)
    key = credentials.api_key is not None
    yield Line("API key", key, "HOKUSAI_API_KEY is set" if key else "HOKUSAI_API_KEY is missing",
               "export HOKUSAI_API_KEY=… (a valid key of this environment)")  # fmt: skip
    yield from _reports(folder)
    yield from _reached(tested, credentials, Redactor.from_variables(variables))


def _machine(variables: Mapping[str, str]) -> Iterator[Line]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Line("Python", sys.version_info >= OLDEST, version, "use Python 3.11 or newer")
    versions = {each: _version(each) for each in PACKAGES}
    told = ", ".join(f"{each} {version or 'is missing'}" for each, version in versions.items())
    yield Line("packages", all(versions.values()), told, "set the suite up anew: scripts/setup.sh")
    proxies = [each for each in PROXIES if variables.get(each)]
    told = f"{', '.join(proxies)} set: AWS is asked through it, probes go straight"
    yield Line("proxy", True, told if proxies else "none set")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _reports(folder: Path) -> Iterator[Line]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = "make it writable, or choose another with --reports FOLDER"
        yield Line("report folder", False, f"{folder}: {error.strerror}", remedy)
        return
    told = f"{folder} can be written, {free // 2**20} MiB are free"
    yield Line("report folder", free > LEAST_FREE, told, "make room")


def _probes(tested: Environment) -> list[Probe]:
    deadline, url = tested.limits.deadline, tested.registry.url
    probes: list[Probe] = [HttpProbe(url=f"{url}/health", deadline=deadline)]
    hosts = [urlsplit(url).hostname, urlsplit(tested.auth.url or "").hostname]
    probes += [
        DnsProbe(name=host, deadline=deadline) for host in dict.fromkeys(filter(None, hosts))
    ]
    if url.startswith("https:"):
        probes.append(TlsProbe(host=str(urlsplit(url).hostname), deadline=deadline))
    if tested.aws is not None:
        probes += [AwsProbe(section=each, deadline=deadline) for each in SECTIONS]
        probes += [
            VariablesProbe(vantage=f"task:{service}", names=(), deadline=deadline)
            for service in tested.aws.services
        ]
    return probes


def _reached(
    tested: Environment, credentials: environment.Credentials, redactor: Redactor
) -> Iterator[Line]:
    with (
        tempfile.TemporaryDirectory() as kept,
        observing(tested, credentials, Path(kept), redactor) as (collector, clients),
    ):
        probes = _probes(tested)
        collector.start(probes)
        seen = [collector.observation(probe) for probe in probes]
        yield from _network(seen)
        if clients is not None:
            yield from _aws(tested, seen)
            if not any(_lacks_credentials(each) for each in seen):
                yield from _logs(Source(clients, tested, 1), Path(kept))
                yield from _tasks(seen)


def _network(seen: Iterable[Observation]) -> Iterator[Line]:
    for each in seen:
        if isinstance(each, AwsObservation) or each.vantage != "runner":
            continue
        failed = each.failure is not None
        yield Line(each.label, not failed, str(each.failure) if failed else _answer(each),
                   _network_remedy(each))  # fmt: skip
        if isinstance(each, HttpObservation) and (date := each.headers.get("date")):
            yield _clock(date, each.started + each.duration_ms / 1000)


def _answer(seen: Observation) -> str:
    match seen:
        case HttpObservation():
            return f"HTTP {seen.status} in {seen.duration_ms:.0f} ms"
        case TlsObservation():
            issuer = seen.chain[0].issuer if seen.chain else "nobody"
            return f"{seen.version}, certificate issued by {issuer}"
        case _:
            return f"answered in {seen.duration_ms:.0f} ms"


def _network_remedy(seen: Observation) -> str:
    kind = str(seen.failure.kind) if seen.failure else ""
    if kind == FailureKind.TLS_VERIFY:
        return (
            "if a proxy of yours opens TLS, trust its authority (HOKUSAI_TLS_CA_BUNDLE=FILE); "
            "else the certificate is the platform's defect"
        )
    if kind.startswith("dns-"):
        return "check the network (VPN?) and the resolver, or set HOKUSAI_NETWORK_RESOLVER"
    return "check the network, VPN and firewall; the platform itself may be down"


def _clock(date: str, at: float) -> Line:
    try:
        skew = at - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Line("clock", True, f"cannot be compared: the server's date is {date!r}")
    told = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the registry's"
    remedy = "set this machine's clock (timedatectl set-ntp true): AWS refuses what is signed late"
    return Line("clock", abs(skew) <= MOST_SKEW_S, told, remedy)


def _lacks_credentials(seen: Observation) -> bool:
    return seen.failure is not None and seen.failure.kind is FailureKind.MISSING_CREDENTIAL


def _aws(tested: Environment, seen: list[Observation]) -> Iterator[Line]:
    assert tested.aws is not None
    who = identity_in(seen)
    sections = [each for each in seen if isinstance(each, AwsObservation)]
    failures = [each.failure for each in sections if each.failure is not None]
    lacking = next((f for f in failures if f.kind is FailureKind.MISSING_CREDENTIAL), None)
    if lacking is not None:
        yield Line("AWS credentials", False, lacking.message, lacking.remedy or "")
        return
    region = tested.aws.region
    yield Line("AWS identity", bool(who), who or "unknown", "see the lines below")
    told = {failure.message: failure for failure in failures}
    for message, failure in told.items():
        yield Line(
            "AWS", False, message, failure.remedy or f"check the names in {tested.name}.yaml"
        )
    answered = len(sections) - len(failures)
    yield Line("AWS", not failures, f"{answered} of {len(sections)} sections of {region} read")


def _logs(source: Source, kept: Path) -> Iterator[Line]:
    """What only a bundle reads."""
    for each in collect(source, kept, BUNDLE_WITHIN_S, lambda _text: None):
        if each.part.id not in ("database-users",):
            told = each.lacking or f"{len(each.files)} files"
            yield Line(f"bundle, {each.part.id}", not each.lacking, told, each.remedy)


def _tasks(seen: Iterable[Observation]) -> Iterator[Line]:
    for each in seen:
        if each.vantage != "runner":
            told = str(each.failure) if each.failure else "a task was entered"
            remedy = each.failure.remedy if each.failure else None
            yield Line(f"ECS Exec, {each.vantage}", each.failure is None, told, remedy or "")
