"""Probes that the checks of several components share."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from harness.environment import Environment
from harness.plugin.declare import probe
from harness.specs import HttpProbe, KeyForm, TlsProbe

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


def with_key(
    environment: Environment, path: str, form: KeyForm | Literal["any"] = "any"
) -> HttpProbe:
    """Return a GET of ``path`` at the registry with the API key in this form."""
    return HttpProbe(
        url=environment.registry.url + path, api_key=form, deadline=environment.limits.deadline
    )


@probe
def proxied_search(environment: Environment) -> HttpProbe:
    """A search of experiments through the registry's MLflow proxy."""
    return with_key(environment, f"/api/mlflow{SEARCH}")


@probe
def readiness(environment: Environment) -> HttpProbe:
    """The registry's readiness, with a key: builds differ in wanting one."""
    return with_key(environment, "/ready")


@probe
def health(environment: Environment) -> HttpProbe:
    """The registry's basic health, without a key."""
    return HttpProbe(url=f"{environment.registry.url}/health", deadline=environment.limits.deadline)


@probe
def api_description(environment: Environment) -> HttpProbe:
    """The registry's own description: open to everyone, and needs no dependency."""
    return HttpProbe(
        url=f"{environment.registry.url}/openapi.json",
        deadline=environment.limits.deadline,
        max_bytes=1_048_576,
    )


@probe
def handshake(environment: Environment) -> TlsProbe:
    """A TLS handshake with the registry."""
    host = urlsplit(environment.registry.url).hostname or ""
    return TlsProbe(host=host, deadline=environment.limits.deadline)
