"""The database login by the driver: every wait ends at the probe's own deadline."""

from __future__ import annotations

import pytest

from harness import vantage
from harness.observation import FailureKind, PostgresObservation
from harness.specs import PostgresProbe
from tests.unit.harness import servers
from tests.unit.hostile.behaviours import greeting, message

# libpq's own time-out is a whole number of seconds, and two at least.
DEADLINE_S = 0.6


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTED_PASSWORD", "not-of-any-server")


def log_in(port: int) -> PostgresObservation:
    seen = vantage.ask_here(
        PostgresProbe(
            host="127.0.0.1",
            port=str(port),
            user="mlflow",
            database="mlflow_db",
            password="${TESTED_PASSWORD}",
            sslmode="disable",
            deadline=DEADLINE_S,
        )
    )
    assert isinstance(seen, PostgresObservation)
    assert 1000 * DEADLINE_S <= seen.duration_ms < 2000
    return seen


def letting_in_and_silent() -> servers.Handler:
    told = {"server_version": "17.2", "client_encoding": "UTF8", "DateStyle": "ISO, MDY"}
    settings = (message(b"S", f"{name}\0{value}\0".encode()) for name, value in told.items())
    accepted, ready = message(b"R", bytes(4)), message(b"Z", b"I")
    return greeting(accepted + b"".join(settings) + ready)


def test_a_silent_database_is_told_in_the_drivers_words() -> None:
    with servers.serving(servers.silent) as port:
        seen = log_in(port)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.CONNECT_TIMEOUT
    assert seen.message == (
        f'connection to server at "127.0.0.1", port {port} failed: timeout expired'
    )


def test_a_database_that_nobody_can_connect_to_is_told_so() -> None:
    with servers.unconnectable() as port:
        seen = log_in(port)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.CONNECT_TIMEOUT


def test_a_login_is_told_though_no_question_is_answered_after_it() -> None:
    with servers.serving(letting_in_and_silent()) as port:
        seen = log_in(port)
    assert (seen.message, seen.server_version, seen.failure) == ("logged in", "170002", None)
    assert set(seen.facts.values()) == {"no answer within the deadline"}
