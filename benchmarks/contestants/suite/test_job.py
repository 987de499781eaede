"""The 40-check job, as checks of this suite."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import (
    DnsObservation,
    HttpObservation,
    PostgresObservation,
    TcpObservation,
    TlsObservation,
)
from harness.plugin.declare import probe, symptom
from harness.specs import DnsProbe, HttpProbe, PostgresProbe, TcpProbe, TlsProbe

ADDRESS = "127.0.0.1"
JOB = json.loads((Path(__file__).parents[2] / "job.json").read_text())
FAILURE = "health-endpoints"


def each(kind: str) -> pytest.MarkDecorator:
    """Parametrise by the job's targets of one kind: (name, port)."""
    found = [
        (f"{kind}-{target['check']['number']}", target["port"])
        for target in JOB["targets"]
        if target["check"]["kind"] == kind
    ]
    return pytest.mark.parametrize("target", found, ids=[name for name, _ in found])


@probe
def page(environment: Environment, target: Any) -> HttpProbe:
    """A health endpoint."""
    url = f"http://{ADDRESS}:{target[1]}/{target[0]}"
    return HttpProbe(url=url, deadline=environment.limits.deadline)


@probe
def handshake(environment: Environment, target: Any) -> TlsProbe:
    """A TLS handshake."""
    return TlsProbe(host=ADDRESS, port=target[1], deadline=environment.limits.deadline)


@probe
def name(environment: Environment, target: Any) -> DnsProbe:
    """A look-up."""
    return DnsProbe(name=f"{target[0]}.bench", deadline=environment.limits.deadline)


@probe
def connection(environment: Environment, target: Any) -> TcpProbe:
    """A TCP connection."""
    return TcpProbe(host=ADDRESS, port=str(target[1]), deadline=environment.limits.deadline)


@probe
def login(environment: Environment, target: Any) -> PostgresProbe:
    """A database login."""
    return PostgresProbe(
        host=ADDRESS,
        port=str(target[1]),
        user="mlflow",
        database=target[0],
        password="${BENCH_PASSWORD}",  # noqa: S106 - a variable's name
        deadline=environment.limits.deadline,
    )


@pytest.mark.p1
@symptom(FAILURE)
@each("http")
def test_health(page: HttpObservation) -> None:
    """The service says that it is healthy."""
    expect.status(page, 200)
    assert expect.json_body(page)["status"] == "healthy"


@pytest.mark.p1
@symptom(FAILURE)
@each("tls")
def test_certificate(handshake: TlsObservation) -> None:
    """The certificate is trusted, and good for another day."""
    expect.answered(handshake)
    assert handshake.chain[0].not_after > time.time() + 86_400


@pytest.mark.p1
@symptom(FAILURE)
@each("dns")
def test_name(name: DnsObservation) -> None:
    """The name resolves."""
    assert expect.answered(name).answers == (ADDRESS,)


@pytest.mark.p1
@symptom(FAILURE)
@each("tcp")
def test_port(connection: TcpObservation) -> None:
    """The port accepts connections."""
    expect.answered(connection)


@pytest.mark.p1
@symptom(FAILURE)
@each("postgres")
def test_login(login: PostgresObservation) -> None:
    """The database lets the user in."""
    expect.answered(login)
