"""What one build of the API has of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import APIRouter

if TYPE_CHECKING:
    from lab.images.api.settings import Settings


class Breaker(Protocol):
    """A circuit breaker, as the builds use it."""

    def is_open(self) -> bool:
        """Whether calls must not be made now."""

    def record_success(self) -> None:
        """A call went well."""

    def record_failure(self) -> None:
        """A call failed."""

    def get_status(self) -> dict[str, Any]:
        """The breaker's state and counters."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a request is turned away."""

    status: int
    detail: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """A build: its version, its defaults, and the parts in which builds differ.

    `validation_body` gives the body for the auth service from (form of the key, key, service id,
    client's address). `refused` turns the auth service's status and detail into a refusal;
    `unavailable` does so for an auth service that gives no answer (`timeout` or `unreachable`).
    """

    version: str
    default_user: str
    open_paths: tuple[str, ...]
    breaker: Callable[[], Breaker]
    health: Callable[[Settings, Breaker], APIRouter]
    validation_body: Callable[[str, str, str, str], dict[str, str]]
    refused: Callable[[int, str], Refusal]
    unavailable: Callable[[str], Refusal]
