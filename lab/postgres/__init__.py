"""A real PostgreSQL on the lab's own address, as RDS would run it; see
`lab.postgres.server.PostgresServer`.
"""

from lab.postgres.migrate import migrate_mlflow
from lab.postgres.server import PostgresServer, Settings

__all__ = ["PostgresServer", "Settings", "migrate_mlflow"]
