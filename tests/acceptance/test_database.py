"""The database, as the API task logs in to it with the settings that it really has."""

from __future__ import annotations

from typing import Any

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation, PostgresObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import PostgresProbe

FAILURE = "database-connectivity"


@probe
def api_login(environment: Environment) -> PostgresProbe:
    """A login from the API's task as its build does it: DB_* wins over DATABASE_*."""
    database = environment.database
    return PostgresProbe(
        vantage="task:api",
        host="${DB_HOST:-${DATABASE_HOST}}",
        port=f"${{DB_PORT:-${{DATABASE_PORT:-{database.port}}}}}",
        user=f"${{DB_USER:-${{DATABASE_USER:-{database.fallback_user}}}}}",
        password="${DB_PASSWORD:-${DATABASE_PASSWORD}}",  # noqa: S106 - a variable's name
        database=f"${{DB_NAME:-${{DATABASE_NAME:-{database.name}}}}}",
        sslmode=database.sslmode,
        deadline=environment.limits.deadline,
    )


@pytest.mark.p0
@symptom(FAILURE, "login-as-postgres", "mlflow-user-refused", "connection-timeout")
def test_the_api_can_log_in_to_its_database(api_login: PostgresObservation) -> None:
    """The API's own settings open a session at the database."""
    expect.answered(api_login)


@pytest.mark.p0
@symptom(FAILURE, "login-as-postgres")
def test_the_api_logs_in_as_its_own_user(
    api_login: PostgresObservation, environment: Environment
) -> None:
    """The login is for the user that the database was set up for, not for a silent default."""
    wanted = environment.database.user
    assert api_login.user == wanted, f"expected user {wanted}: {evidence(api_login)}"


@pytest.mark.p0
@symptom(FAILURE, "login-as-postgres", "mlflow-user-refused", "connection-timeout")
def test_the_api_says_its_database_is_ready(readiness: HttpObservation) -> None:
    """The registry's readiness reports a working database."""
    answer = expect.past_authentication(readiness)
    database = _check(expect.json_body(answer), "database")
    assert database["passed"], f"{database.get('error')}: {evidence(answer)}"


def _check(body: dict[str, Any], name: str) -> dict[str, Any]:
    checks = {check["name"]: check for check in body.get("checks", [])}
    assert name in checks, f"/ready reports no check '{name}': it has {sorted(checks)}"
    return dict(checks[name])
