"""Runs the real MLflow server in this process: no workers, no web UI, started directly.

The private variables are those of the pinned release; `mlflow server` sets the same ones.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from urllib.parse import quote

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")

# Imported before the task is forked, though only used when the first request comes.
import mlflow.store.artifact.local_artifact_repo
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import psycopg2  # noqa: F401
from mlflow.server import app, security
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

PORT = 5000
# The load balancer hands /mlflow… on with its path as it is, and checks health at /mlflow.
MOUNT = "/mlflow"


def run(_tag: str) -> None:
    """Serve until SIGTERM."""
    _configure()
    security.init_security_middleware(app)
    mounted = DispatcherMiddleware(app, {MOUNT: app})
    server = make_server(
        "0.0.0.0",  # noqa: S104 - in a task: its own address
        int(os.environ.get("MLFLOW_PORT", str(PORT))),
        mounted,
        threaded=True,
    )
    signal.signal(signal.SIGTERM, _leave)
    server.serve_forever()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _configure() -> None:
    store = store_uri(os.environ.get)
    artifacts = Path(os.environ.get("ARTIFACT_ROOT", "artifacts")).absolute()
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": store,
            "_MLFLOW_SERVER_REGISTRY_STORE": store,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
        }
    )


def store_uri(variable: object) -> str:
    """The address of the backend store, with user and password quoted for a URL."""
    assert callable(variable)
    user = quote(variable("DB_USER") or "postgres", safe="")
    password = quote(variable("DB_PASSWORD") or "", safe="")
    where = f"{variable('DB_HOST') or 'localhost'}:{variable('DB_PORT') or '5432'}"
    name = variable("DB_NAME") or "mlflow_db"
    # SQLAlchemy reads a bare postgresql:// as another driver from 2.1 on.
    return f"postgresql+psycopg2://{user}:{password}@{where}/{name}?connect_timeout=3"
