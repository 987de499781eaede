"""MLflow's schema, created the way that MLflow's own server creates it.

Run as a program, this file does the work on the URL that it reads from standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from typing import Any

_DEADLINE = 120.0


def migrate_mlflow(url: str) -> None:
    """Create or upgrade MLflow's tables in the database behind a SQLAlchemy URL.

    In a process of its own: MLflow's import takes seconds and changes logging and warnings.
    Raises RuntimeError with the end of what that process said.
    """
    environment = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")
    }
    done = subprocess.run(
        [sys.executable, "-P", __file__],
        input=url,
        env=environment | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"migrating MLflow's schema failed: {done.stderr[-2000:].strip()}")


def _migrate(url: str) -> None:
    import sqlalchemy

    # Untyped and private, as there is no public call; the pinned MLflow version vouches for it.
    utils: Any = import_module("mlflow.store.db.utils")

    engine = sqlalchemy.create_engine(url)
    if utils._all_tables_exist(engine):
        utils._upgrade_db(engine)
    else:
        utils._initialize_tables(engine)
    utils._verify_schema(engine)
    engine.dispose()


if __name__ == "__main__":
    _migrate(sys.stdin.read().strip())
