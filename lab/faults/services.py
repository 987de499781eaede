"""Faults of task definitions: variables, secrets, images."""

from __future__ import annotations

from collections.abc import Callable

from lab import names
from lab.faults.fault import Change, declare
from lab.platform import Container, Platform, set_image_tag, set_variable

CORRECTED, DOCUMENTED = "corrected", "2025-08-06"


def _revise(service: str, edit: Callable[[Container], None]) -> Change:
    def change(platform: Platform) -> None:
        platform.revise(service, edit)

    return change


def _tag(service: str, tag: str) -> Change:
    return _revise(service, lambda container: set_image_tag(container, tag))


def _variable(service: str, name: str, value: str | None) -> Change:
    return _revise(service, lambda container: set_variable(container, name, value))


declare(
    "api-without-database-user",
    "The API's task definition does not set DB_USER, so its build takes its own default",
    apply=_variable(names.API, "DB_USER", None),
    heal=_variable(names.API, "DB_USER", names.DATABASE_USER),
)

declare(
    "api-build-of-2025-08-06",
    "The API runs the build of 2025-08-06 with its health report and circuit breaker",
    apply=_tag(names.API, DOCUMENTED),
    heal=_tag(names.API, CORRECTED),
)

declare(
    "auth-build-of-2025-08-06",
    "The auth service runs the build of 2025-08-06, which looks for the key in the body only",
    apply=_tag(names.AUTH, DOCUMENTED),
    heal=_tag(names.AUTH, CORRECTED),
)
