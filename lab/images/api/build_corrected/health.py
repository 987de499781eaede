"""Corrected health: dependencies are asked at once, each within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from lab.images.api import database, overall, reports
from lab.images.api.build import Breaker
from lab.images.api.settings import Settings

BOUND_S = 1.5
VERSION = "corrected"


def router(settings: Settings, breaker: Breaker) -> APIRouter:
    """The health routes."""
    routes = APIRouter()

    @routes.get("/health")
    async def health(detailed: bool = False) -> dict[str, Any]:
        mlflow, postgres = await asyncio.gather(
            _mlflow(settings, breaker), _bounded(_postgres(settings))
        )
        errors = {"mlflow": mlflow, "postgres": postgres}
        services = {name: _state(error) for name, error in errors.items()}
        services |= dict.fromkeys(settings.optional, overall.NOT_CONFIGURED)
        status = overall.HEALTHY if not any(errors.values()) else overall.DEGRADED
        report = overall.report(status, VERSION, services)
        return report | {"details": errors} if detailed else report

    return routes


async def _mlflow(settings: Settings, breaker: Breaker) -> str | None:
    if breaker.is_open():
        return "circuit breaker is open"
    error = await _bounded(reports.mlflow_error(settings.mlflow_server_url))
    if error is None:
        breaker.record_success()
    else:
        breaker.record_failure()
    return error


async def _postgres(settings: Settings) -> str | None:
    return await run_in_threadpool(database.error_of_login, settings.database)


async def _bounded(asking: Awaitable[str | None]) -> str | None:
    try:
        return await asyncio.wait_for(asking, BOUND_S)
    except TimeoutError:
        return f"no answer within {BOUND_S:g} s"


def _state(error: str | None) -> str:
    return overall.HEALTHY if error is None else overall.UNHEALTHY
