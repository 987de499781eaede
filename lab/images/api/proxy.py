"""The MLflow proxy: everything below its mounts goes to MLflow, without the caller's key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response, StreamingResponse

from lab.images.api.build import Breaker
from lab.images.api.settings import Settings

READ_TIMEOUT_S = 30.0
# A choice of the lab: how long the platform waits for a connection is not known.
CONNECT_TIMEOUT_S = 2.0
MOUNTS = ("/api/mlflow/{path:path}", "/mlflow/{path:path}")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
NOT_FORWARDED = frozenset(
    {"host", "authorization", "x-api-key", "content-length", "connection", "transfer-encoding"}
)
NOT_RETURNED = frozenset({"content-length", "transfer-encoding", "connection"})


def router(settings: Settings, breaker: Breaker) -> APIRouter:
    """The proxy's routes."""
    routes = APIRouter()
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    client = httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False)

    async def forward(request: Request, path: str) -> Response:
        try:
            answer = await client.send(_forwarded(client, request, path, settings), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
            breaker.record_failure()
            where = settings.mlflow_server_url
            return _error(502, f"Failed to connect to MLflow server at {where}")
        except httpx.TimeoutException:
            breaker.record_failure()
            return _error(504, f"MLflow server request timeout after {READ_TIMEOUT_S}s")
        except httpx.HTTPError as error:
            breaker.record_failure()
            return _error(502, f"MLflow proxy error: {type(error).__name__}")
        breaker.record_success()
        return _returned(answer)

    for mount in MOUNTS:
        routes.add_api_route(mount, forward, methods=METHODS, include_in_schema=False)
    return routes


def _forwarded(
    client: httpx.AsyncClient, request: Request, path: str, settings: Settings
) -> httpx.Request:
    query = [
        (name, value) for name, value in request.query_params.multi_items() if name != "api_key"
    ]
    headers = [
        (name, value) for name, value in request.headers.items() if name not in NOT_FORWARDED
    ]
    with_body = request.method in ("POST", "PUT", "PATCH", "DELETE")
    return client.build_request(
        request.method,
        f"{settings.mlflow_server_url}/{path}",
        params=httpx.QueryParams(tuple(query)),
        headers=headers,
        content=request.stream() if with_body else None,
    )


def _returned(answer: httpx.Response) -> Response:
    headers = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_RETURNED}
    return StreamingResponse(
        _body(answer), answer.status_code, headers, background=BackgroundTask(answer.aclose)
    )


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for chunk in answer.aiter_raw():
        yield chunk


def _error(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status)
