"""The 40-check job as one writes it in pytest with requests, one check after another."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import dns.resolver
import psycopg2
import pytest
import requests

ADDRESS, DEADLINE_S = "127.0.0.1", 2
JOB = json.loads((Path(__file__).parent / "job.json").read_text())


def each(kind: str) -> pytest.MarkDecorator:
    """Parametrise by the job's targets of one kind: (name, port)."""
    found = [
        (f"{kind}-{target['check']['number']}", target["port"])
        for target in JOB["targets"]
        if target["check"]["kind"] == kind
    ]
    return pytest.mark.parametrize("target", found, ids=[name for name, _ in found])


@each("http")
def test_health(target: Any) -> None:
    """The service says that it is healthy."""
    answer = requests.get(f"http://{ADDRESS}:{target[1]}/{target[0]}", timeout=DEADLINE_S)
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"


@each("tls")
def test_certificate(target: Any) -> None:
    """The certificate is trusted, and good for another day."""
    context = ssl.create_default_context(cafile=JOB["ca"])
    with (
        socket.create_connection((ADDRESS, target[1]), timeout=DEADLINE_S) as connected,
        context.wrap_socket(connected, server_hostname=ADDRESS) as secured,
    ):
        certificate = secured.getpeercert() or {}
    assert ssl.cert_time_to_seconds(str(certificate["notAfter"])) > time.time() + 86_400


@each("dns")
def test_name(target: Any) -> None:
    """The name resolves."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [ADDRESS], target[1], DEADLINE_S
    assert [each.to_text() for each in resolver.resolve(f"{target[0]}.bench", "A")] == [ADDRESS]


@each("tcp")
def test_port(target: Any) -> None:
    """The port accepts connections."""
    socket.create_connection((ADDRESS, target[1]), timeout=DEADLINE_S).close()


@each("postgres")
def test_login(target: Any) -> None:
    """The database lets the user in."""
    psycopg2.connect(
        host=ADDRESS,
        port=target[1],
        user="mlflow",
        password=os.environ["BENCH_PASSWORD"],
        dbname=target[0],
        connect_timeout=DEADLINE_S,
    ).close()
