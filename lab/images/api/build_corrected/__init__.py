"""The corrected build."""

from lab.images.api.build import Build, Refusal
from lab.images.api.build_corrected import health
from lab.images.api.build_corrected.circuit_breaker import CircuitBreaker

RETRY_AFTER_S = 5
UNAVAILABLE = {
    "timeout": "Authentication service timeout",
    "unreachable": "Authentication service unavailable",
}


def _refused(status: int, _detail: str) -> Refusal:
    if status == 401:
        return Refusal(401, "Invalid or expired API key")
    if status == 429:
        return Refusal(429, "Rate limit exceeded", RETRY_AFTER_S)
    return Refusal(503, "Authentication service error", RETRY_AFTER_S)


BUILD = Build(
    version="corrected",
    default_user="mlflow",
    open_paths=(
        "/health",
        "/ready",
        "/live",
        "/version",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/redoc",
        "/favicon.ico",
    ),
    breaker=CircuitBreaker,
    health=health.router,
    validation_body=lambda _form, _key, service_id, address: {
        "service_id": service_id,
        "client_ip": address,
    },
    refused=_refused,
    unavailable=lambda why: Refusal(503, UNAVAILABLE[why], RETRY_AFTER_S),
)
