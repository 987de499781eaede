"""MLflow's schema, created the way that MLflow's own server creates it."""

from __future__ import annotations


def migrate_mlflow(url: str) -> None:
    """Create or upgrade MLflow's tables in the database behind a SQLAlchemy URL, in a process of
    its own.
    """
    raise NotImplementedError
