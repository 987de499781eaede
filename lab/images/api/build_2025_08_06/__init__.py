"""The build that was deployed on 2025-08-06, with its documented defects."""

from lab.images.api.build import Build, Refusal
from lab.images.api.build_2025_08_06 import health
from lab.images.api.build_2025_08_06.circuit_breaker import CircuitBreaker

UNAVAILABLE = {
    "timeout": "Authentication service timeout",
    "unreachable": "Authentication service unavailable",
}


def _body(form: str, key: str, service_id: str, address: str) -> dict[str, str]:
    body = {"service_id": service_id, "client_ip": address}
    # Only the oldest form of the key still goes the old way as well: in the body.
    return {**body, "api_key": key} if form == "apikey" else body


def _refused(status: int, detail: str) -> Refusal:
    if status == 401:
        return Refusal(401, detail or "Invalid or expired API key")
    if status == 429:
        return Refusal(401, "Rate limit exceeded")
    return Refusal(401, "Authentication service error")


BUILD = Build(
    version="2025-08-06",
    default_user="postgres",
    open_paths=("/health", "/docs", "/openapi.json", "/redoc", "/favicon.ico"),
    breaker=CircuitBreaker,
    health=health.router,
    validation_body=_body,
    refused=_refused,
    unavailable=lambda why: Refusal(401, UNAVAILABLE[why]),
)
