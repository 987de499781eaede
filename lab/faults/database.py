"""Faults of the database: stopped, or its user without rights."""

from __future__ import annotations

from lab import names
from lab.faults.fault import declare
from lab.platform import Platform

_ALL_TABLES = "ALL TABLES IN SCHEMA public"


def _revoke(platform: Platform) -> None:
    """What the user owned belongs to somebody else, and it may only connect and look."""
    beyond, user = platform.beyond, names.DATABASE_USER
    beyond.sql(f"REVOKE CREATE ON DATABASE {names.DATABASE} FROM PUBLIC, {user}")
    beyond.sql(f"ALTER DATABASE {names.DATABASE} OWNER TO postgres")
    beyond.sql(f"REVOKE ALL ON SCHEMA public FROM PUBLIC, {user}")


def _grant(platform: Platform) -> None:
    beyond, user = platform.beyond, names.DATABASE_USER
    beyond.sql(f"ALTER DATABASE {names.DATABASE} OWNER TO {user}")
    beyond.sql(f"GRANT ALL ON DATABASE {names.DATABASE} TO {user}")
    beyond.sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    beyond.sql(f"GRANT ALL ON SCHEMA public TO {user}")
    beyond.sql(f"GRANT ALL ON {_ALL_TABLES} TO {user}")


declare(
    "database-stopped",
    "The database instance was stopped",
    changes="database state",
    apply=lambda platform: platform.aws.rds.stop_db_instance(
        DBInstanceIdentifier=names.DATABASE_INSTANCE
    ),
    heal=lambda platform: platform.aws.rds.start_db_instance(
        DBInstanceIdentifier=names.DATABASE_INSTANCE
    ),
)
declare(
    "database-user-without-rights",
    "The database user lost its rights on the schema",
    changes="database rights",
    apply=_revoke,
    heal=_grant,
)
