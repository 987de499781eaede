"""API keys: where a request may carry one, and who says whether it is good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from lab.images.api.build import Build, Refusal
from lab.images.api.settings import Settings

AUTH_TIMEOUT_S = 3.0
Next = Callable[[Request], Awaitable[Response]]


def install(app: FastAPI, build: Build, settings: Settings) -> None:
    """Let `app` serve protected paths only to requests with a valid key."""
    client = httpx.AsyncClient(timeout=AUTH_TIMEOUT_S, trust_env=False)

    @app.middleware("http")
    async def authenticate(request: Request, call_next: Next) -> Response:
        if request.url.path.startswith(build.open_paths):
            return await call_next(request)
        found = key_of(request)
        if found is None:
            return turned_away(Refusal(401, "API key required"))
        refusal = await _validate(client, build, settings, *found, _client(request))
        return await call_next(request) if refusal is None else turned_away(refusal)


def key_of(request: Request) -> tuple[str, str] | None:
    """The form and the key that a request carries; None if it has none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "apikey") and credentials.strip():
        return scheme.lower(), credentials.strip()
    if header := request.headers.get("x-api-key"):
        return "x-api-key", header
    if parameter := request.query_params.get("api_key"):
        return "query", parameter
    return None


def turned_away(refusal: Refusal) -> JSONResponse:
    """The answer to a request that is refused."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
    return JSONResponse({"detail": refusal.detail}, status_code=refusal.status, headers=headers)


async def _validate(
    client: httpx.AsyncClient, build: Build, settings: Settings, form: str, key: str, address: str
) -> Refusal | None:
    try:
        answer = await client.post(
            f"{settings.auth_service_url}/api/v1/keys/validate",
            headers={"Authorization": f"Bearer {key}"},
            json=build.validation_body(form, key, settings.service_id, address),
        )
    except httpx.TimeoutException:
        return build.unavailable("timeout")
    except httpx.HTTPError:
        return build.unavailable("unreachable")
    if answer.status_code == httpx.codes.OK:
        return None
    return build.refused(answer.status_code, _detail(answer))


def _detail(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("detail", "")) if isinstance(body, dict) else ""


def _client(request: Request) -> str:
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    return forwarded or (request.client.host if request.client else "")
