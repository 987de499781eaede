"""A real PostgreSQL, as RDS would run it; see `lab.postgres.server`."""

from lab.postgres.migrate import migrate_mlflow
from lab.postgres.server import PostgresServer, Settings

__all__ = ["PostgresServer", "Settings", "migrate_mlflow"]
