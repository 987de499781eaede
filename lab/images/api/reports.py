"""What the API tells of itself in every build: readiness, liveness, version, metrics, MLflow."""

from __future__ import annotations

import os
import resource
import ssl
import time
from functools import cache
from typing import Any

import httpx
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lab.images.api import database
from lab.images.api.build import Breaker, Build
from lab.images.api.settings import Settings

SEARCH = "/api/2.0/mlflow/experiments/search"
# Connecting fails sooner: a report on a broken MLflow must not be slow.
REPORT_TIMEOUT = httpx.Timeout(3.0, connect=1.5)
STARTED = time.monotonic()


@cache
def trust() -> ssl.SSLContext:
    """Whom HTTPS trusts: read once, as reading takes longer than a request."""
    return httpx.create_ssl_context(trust_env=False)


def router(build: Build, settings: Settings, breaker: Breaker) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get("/ready")
    async def ready() -> Response:
        error = await run_in_threadpool(database.error_of_login, settings.database)
        reached = await mlflow_error(settings.mlflow_server_url)
        body = readiness(error, reached)
        return JSONResponse(body, status_code=200 if body["ready"] else 503)

    @routes.get("/live")
    def live() -> dict[str, Any]:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        uptime = round(time.monotonic() - STARTED, 3)
        return {"alive": True, "uptime": uptime, "memory_usage_mb": round(memory, 1)}

    @routes.get("/version")
    def version() -> dict[str, str]:
        return {"version": build.version, "environment": settings.environment}

    @routes.get("/metrics")
    def metrics() -> Response:
        lines = ("# TYPE hokusai_api_up gauge", "hokusai_api_up 1", f"process_pid {os.getpid()}")
        return PlainTextResponse("\n".join(lines) + "\n")

    @routes.get("/health/mlflow")
    def breaker_status() -> dict[str, Any]:
        return breaker.get_status()

    @routes.get("/api/health/mlflow")
    async def mlflow() -> Response:
        return await mlflow_report(settings.mlflow_server_url)

    return routes


def readiness(database_error: str | None, mlflow: str | None) -> dict[str, Any]:
    """The readiness report: only the database is critical."""
    checks = [
        {
            "name": "database",
            "passed": database_error is None,
            "error": database_error,
            "critical": True,
        },
        {"name": "mlflow", "passed": mlflow is None, "error": mlflow, "critical": False},
    ]
    ready = database_error is None
    return {
        "ready": ready,
        "can_serve_traffic": ready,
        "checks": checks,
        "degraded_mode": mlflow is not None,
    }


async def mlflow_report(url: str) -> Response:
    """What the API knows of MLflow: 200, or 503 with the checks."""
    async with _asking() as client:
        checks = {
            "connectivity": await _ok(client, f"{url}/health"),
            "experiments_api": await _ok(client, f"{url}{SEARCH}?max_results=1"),
        }
        checks["artifacts_api"] = checks["experiments_api"] and await _ok(client, f"{url}/version")
    healthy = all(checks.values())
    report = {
        "mlflow_server": url,
        "checks": checks,
        "status": "healthy" if healthy else "unhealthy",
    }
    return JSONResponse(report if healthy else {"detail": report}, 200 if healthy else 503)


async def mlflow_error(url: str) -> str | None:
    """None if MLflow answers from its database; otherwise why not."""
    try:
        async with _asking() as client:
            answer = await client.get(f"{url}{SEARCH}?max_results=1")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == httpx.codes.OK else f"HTTP {answer.status_code}"


def _asking() -> httpx.AsyncClient:
    # A client a question: what is kept alive would not notice that a rule was revoked.
    return httpx.AsyncClient(timeout=REPORT_TIMEOUT, trust_env=False, verify=trust())


async def _ok(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
