"""Runs a build of the auth service.

The builds differ in one thing: where they look for the key. As of 2025-08-06 that is the body,
although the API sends it in the Authorization header.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from lab.images.auth import keys

KeyOf = Callable[[Request, dict[str, Any]], str | None]


def key_in_body(_request: Request, body: dict[str, Any]) -> str | None:
    """The key where the build of 2025-08-06 looks for it."""
    return str(body["api_key"]) if body.get("api_key") else None


def key_in_header(request: Request, body: dict[str, Any]) -> str | None:
    """The key where the corrected build looks for it: the header, else the body."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return key_in_body(request, body)


BUILDS: dict[str, KeyOf] = {"2025-08-06": key_in_body, "corrected": key_in_header}


def create(tag: str, settings: keys.Settings) -> FastAPI:
    """The application of a build."""
    app, key_of, limit = (
        FastAPI(title="Hokusai auth"),
        BUILDS[tag],
        keys.RateLimit(settings.per_hour),
    )

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "healthy", "version": tag}

    @app.post("/api/v1/keys/validate")
    async def validate(request: Request) -> Response:
        body = await _json(request)
        key = key_of(request, body)
        if key is None:
            return JSONResponse({"detail": "API key required"}, 401)
        key_id = keys.key_id(settings, key)
        service = str(body.get("service_id", ""))
        if key_id is None or service not in settings.services:
            return JSONResponse({"detail": "Invalid or expired API key"}, 401)
        if not limit.admits(key_id):
            return JSONResponse({"detail": "Rate limit exceeded"}, 429, {"Retry-After": "60"})
        return JSONResponse(_valid(key_id, service, settings))

    return app


def _valid(key_id: str, service: str, settings: keys.Settings) -> dict[str, Any]:
    return {
        "user_id": "user_lab",
        "key_id": key_id,
        "service_id": service,
        "scopes": ["model:read", "model:write"],
        "rate_limit_per_hour": settings.per_hour,
    }


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def run(tag: str) -> None:
    """Serve the build with this tag until SIGTERM."""
    settings = keys.read()
    uvicorn.run(
        create(tag, settings),
        host="0.0.0.0",  # noqa: S104 - in a task: its own address
        port=settings.port,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
