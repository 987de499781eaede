"""An observation as people read it: the exchange, and the command that makes it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from harness.observation import (
    AwsObservation,
    Certificate,
    ContractObservation,
    DnsObservation,
    HttpObservation,
    JourneyObservation,
    Observation,
    PostgresObservation,
    TcpObservation,
    TlsObservation,
    VariablesObservation,
)
from harness.redaction import MASK
from harness.reports import aws_commands


def as_text(observation: Observation) -> str:
    """Return the exchange in plain text: what was asked, what came back, how long it took."""
    lines = [
        f"{observation.label}",
        f"took {observation.duration_ms:.1f} ms",
        "",
        *_body(observation),
    ]
    if observation.failure is not None:
        lines += ["", f"failed: {observation.failure}"]
        lines += [f"remedy: {observation.failure.remedy}"] if observation.failure.remedy else []
    return "\n".join(lines) + "\n"


def as_json(observation: Observation) -> str:
    """Return the whole observation as indented JSON."""
    return json.dumps(msgspec.to_builtins(observation), indent=2, ensure_ascii=False)


def command(observation: Observation) -> str | None:
    """Return a command line that asks the same again, without secrets; None if there is none."""
    match observation:
        case HttpObservation():
            return _curl(observation)
        case DnsObservation():
            return f"getent ahosts {shlex.quote(observation.name)}"
        case TcpObservation():
            return f"nc -vz -w 5 {shlex.quote(observation.host)} {observation.port}"
        case TlsObservation():
            site = shlex.quote(f"{observation.host}:{observation.port}")
            name = shlex.quote(observation.host)
            return f"openssl s_client -connect {site} -servername {name} -showcerts </dev/null"
        case PostgresObservation():
            return (
                'PGPASSWORD="$DB_PASSWORD" psql '
                f"host={observation.host} port={observation.port} user={observation.user} "
                f"dbname={observation.database} sslmode={observation.sslmode} -c 'select 1'"
            )
        case AwsObservation():
            return aws_commands.command(observation)
        case VariablesObservation():
            # Names only: the values may be secrets.
            return "env | cut -d= -f1 | sort"
        case _:
            return None


def kind(observation: Observation) -> str:
    """Return what people call the exchange."""
    names: dict[type[Observation], str] = {
        HttpObservation: "HTTP exchange",
        DnsObservation: "DNS trace",
        TcpObservation: "TCP attempt",
        TlsObservation: "TLS chain",
        PostgresObservation: "SQL attempt",
        VariablesObservation: "task's variables",
        ContractObservation: "contract, case by case",
        JourneyObservation: "journey, step by step",
        AwsObservation: "AWS state",
    }
    return names.get(type(observation), "exchange")


def _body(observation: Observation) -> list[str]:
    writers: dict[type[Observation], Callable[..., list[str]]] = {
        HttpObservation: _http,
        DnsObservation: _dns,
        TlsObservation: _tls,
        PostgresObservation: _postgres,
        ContractObservation: _contract,
        TcpObservation: _tcp,
        VariablesObservation: _variables,
        JourneyObservation: _journey,
        AwsObservation: _aws,
    }
    writer = writers.get(type(observation))
    return writer(observation) if writer else []


def _http(observation: HttpObservation) -> list[str]:
    lines = [f"> {observation.method} {observation.url}"]
    lines += [f"> {name}: {value}" for name, value in observation.request_headers.items()]
    for hop in observation.hops:
        lines += ["", f"< {hop.status} {hop.url}", f"< location: {hop.location}"]
    if observation.status is not None:
        lines += ["", f"< {observation.status}  (from {observation.address or 'unknown address'})"]
        lines += [f"< {name}: {value}" for name, value in observation.headers.items()]
        lines += ["", observation.body]
    if observation.timings:
        lines += ["", "timings in ms: " + _pairs(observation.timings)]
    return lines


def _dns(observation: DnsObservation) -> list[str]:
    said = ", ".join(observation.answers) or observation.rcode or "no answer"
    resolver = observation.resolver or "the vantage point's own resolver"
    return [f"{observation.name} {observation.record} -> {said}", f"asked: {resolver}"]


def _tls(observation: TlsObservation) -> list[str]:
    lines = [f"{observation.version or 'no handshake'} {observation.cipher or ''}"]
    return lines + [line for each in observation.chain for line in _certificate(each)]


def _certificate(certificate: Certificate) -> list[str]:
    return [
        f"subject: {certificate.subject}",
        f"  issuer: {certificate.issuer}",
        f"  names: {', '.join(certificate.names) or '-'}",
        f"  sha256: {certificate.sha256}",
    ]


def _postgres(observation: PostgresObservation) -> list[str]:
    lines = [
        f"host={observation.host} port={observation.port} user={observation.user} "
        f"dbname={observation.database} sslmode={observation.sslmode}"
    ]
    return [*lines, observation.message, *[f"{k}: {v}" for k, v in observation.facts.items()]]


def _contract(observation: ContractObservation) -> list[str]:
    lines: Sequence[str] = [
        f"{'kept  ' if case.passed else 'BROKEN'} {case.id} {case.message}".rstrip()
        for case in observation.cases
    ]
    return [f"{observation.target}", *lines]


def _tcp(observation: TcpObservation) -> list[str]:
    connected = f"connected to {observation.address}" if observation.address else "not connected"
    return [f"{observation.host}:{observation.port} -> {connected}"]


def _variables(observation: VariablesObservation) -> list[str]:
    return [
        f"{each.name} {'is not set' if not each.present else each.value or '(set, not shown)'}"
        for each in observation.variables
    ]


def _journey(observation: JourneyObservation) -> list[str]:
    lines = [f"{observation.name}: {observation.stopped or 'came to its end'}"]
    lines += [f"left behind: {each}" for each in observation.left_behind]
    for step in observation.steps:
        lines += ["", f"{step.method} {step.url} -> {step.status or step.failure}", step.body]
    return lines


def _aws(observation: AwsObservation) -> list[str]:
    asked = f"{observation.service} {observation.operation}"
    # Written for every check that reads it: json's own indentation is ten times slower.
    state = msgspec.json.format(msgspec.json.encode(observation.response), indent=2).decode()
    return [asked, *([f"error: {observation.error_code}"] if observation.error_code else []), state]


def _pairs(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _curl(observation: HttpObservation) -> str:
    parts = ["curl", "-sS", "-i", "--max-time", "15"]
    if observation.method != "GET":
        parts += ["-X", observation.method]
    if observation.hops or "client" in observation.label:
        parts.append("-L")
    words = [shlex.quote(part) for part in parts]
    for name, value in observation.request_headers.items():
        words += ["-H", _header(name, value)]
    return " ".join([*words, _url(observation.url)])


def _header(name: str, value: str) -> str:
    if MASK not in value:
        return shlex.quote(f"{name}: {value}")
    return f'"{name}: {value.replace(MASK, "$HOKUSAI_API_KEY")}"'


def _url(url: str) -> str:
    if MASK in url:
        return '"' + url.replace(MASK, "$HOKUSAI_API_KEY") + '"'
    # Quoted always: people paste these lines, and a shell would take the & of a query.
    return f'"{url}"' if urlsplit(url).query else shlex.quote(url)
