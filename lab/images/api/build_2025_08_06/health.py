"""Health as of 2025-08-06: asks every dependency in the request, and holds the process up.

The handlers are coroutines that block: while one waits for a dependency, no other request is
served. That is the documented defect, not an oversight.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import requests
from fastapi import APIRouter
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from lab.images.api import database, overall
from lab.images.api.build import Breaker
from lab.images.api.settings import Settings

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
TIMEOUT_S = 5
VERSION = "2025-08-06"


def router(settings: Settings, breaker: Breaker) -> APIRouter:
    """The health routes."""
    routes = APIRouter()

    @routes.get("/health")
    async def health(detailed: bool = False) -> dict[str, Any]:
        services = {
            "mlflow": _mlflow(settings.mlflow_tracking_uri, breaker),
            **{name: _optional(address) for name, address in settings.optional.items()},
            "postgres": _postgres(settings),
        }
        report = overall.report(overall.word(services), VERSION, services)
        if detailed:
            # The details that this build promises were never assembled.
            report["details"] = {name: report["checks"][name] for name in services}
        return report

    return routes


def _mlflow(url: str, breaker: Breaker) -> str:
    if breaker.is_open():
        return overall.UNHEALTHY
    try:
        answer = _session().get(url + SEARCH, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except requests.RequestException:
        breaker.record_failure()
        return overall.UNHEALTHY
    breaker.record_success()
    return overall.HEALTHY


def _session() -> requests.Session:
    retries = Retry(
        total=int(os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")),
        backoff_factor=float(os.environ.get("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "2")),
        status_forcelist=(429, 500, 502, 503, 504),
    )
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    return session


def _postgres(settings: Settings) -> str:
    failed = database.error_of_login(settings.database) is not None
    return overall.UNHEALTHY if failed else overall.HEALTHY


def _optional(address: str) -> str:
    if not address:
        return overall.NOT_CONFIGURED
    host, _, port = address.rpartition("/")[2].partition(":")
    try:
        socket.create_connection((host, int(port or "80")), timeout=TIMEOUT_S).close()
    except (OSError, ValueError):
        return overall.UNHEALTHY
    return overall.HEALTHY
