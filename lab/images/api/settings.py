"""The API's settings: only the environment of its task."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is and who logs in; `DB_*` wins over `DATABASE_*`."""

    host: str
    port: int
    user: str
    password: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a build reads from its environment."""

    host: str
    port: int
    environment: str
    mlflow_server_url: str
    mlflow_tracking_uri: str
    auth_service_url: str
    service_id: str
    database: Database
    optional: Mapping[str, str]


DEFAULT_MLFLOW = "http://mlflow.hokusai.local:5000"
# Dependencies of the health report that an environment may or may not have.
OPTIONAL = {
    "redis": "REDIS_HOST",
    "message_queue": "MESSAGE_QUEUE_URL",
    "external_api": "EXTERNAL_API_URL",
}


def read(default_user: str, variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `variables`; `default_user` is the build's own database user."""
    mlflow = variables.get("MLFLOW_SERVER_URL", DEFAULT_MLFLOW).rstrip("/")
    return Settings(
        host=variables.get("API_HOST", "0.0.0.0"),  # noqa: S104 - in a task: its own address
        port=int(variables.get("API_PORT", "8001")),
        environment=variables.get("ENVIRONMENT", "development"),
        mlflow_server_url=mlflow,
        # The health code's own variable: not set by the task, so it falls back to the code's.
        mlflow_tracking_uri=variables.get("MLFLOW_TRACKING_URI", mlflow or DEFAULT_MLFLOW),
        auth_service_url=variables.get("AUTH_SERVICE_URL", "http://localhost:8000").rstrip("/"),
        service_id=variables.get("SERVICE_ID", "platform"),
        database=_database(default_user, variables),
        optional={name: variables.get(variable, "") for name, variable in OPTIONAL.items()},
    )


def _database(default_user: str, variables: Mapping[str, str]) -> Database:
    def either(name: str, otherwise: str) -> str:
        return variables.get(f"DB_{name}") or variables.get(f"DATABASE_{name}") or otherwise

    return Database(
        host=either("HOST", "localhost"),
        port=int(either("PORT", "5432")),
        user=either("USER", default_user),
        password=either("PASSWORD", ""),
        name=either("NAME", "mlflow_db"),
    )
