"""The database server does what its RDS instance is told."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from lab import names
from lab.home import CACHE
from lab.pki import Authority
from lab.rds import DatabaseFollower
from tests.unit.lab.small_platform import SmallPlatform

INSTANCE = names.DATABASE_INSTANCE


@pytest.fixture
def database(platform: SmallPlatform, tmp_path: Path) -> Iterator[DatabaseFollower]:
    follower = DatabaseFollower(
        platform.backends,
        platform.interfaces,
        Authority(),
        cache=CACHE,
        folder=tmp_path,
        log=tmp_path / "postgres.log",
    )
    platform.hooks.watch(lambda call, _answer: follower.note(call))
    yield follower
    follower.close()


def set_password(platform: SmallPlatform, database: DatabaseFollower) -> str:
    password = secrets.token_urlsafe(16)
    platform.aws.rds.modify_db_instance(
        DBInstanceIdentifier=INSTANCE, MasterUserPassword=password, ApplyImmediately=True
    )
    database.follow()
    return password


def log_in(platform: SmallPlatform, password: str) -> str:
    """Log in as the platform does; returns the user that the server says one is."""
    interface = platform.interfaces.of(platform.platform.database()["DBInstanceArn"])
    assert interface is not None
    connection = psycopg2.connect(
        host=interface.address,
        port=5432,
        user=names.DATABASE_USER,
        password=password,
        dbname=names.DATABASE,
        sslmode="require",
        connect_timeout=5,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (row,) = cursor.fetchall()
            return str(row[0])
    finally:
        connection.close()


def test_the_server_follows_its_instance(
    platform: SmallPlatform, database: DatabaseFollower
) -> None:
    first = set_password(platform, database)
    assert log_in(platform, first) == "mlflow"
    second = set_password(platform, database)
    with pytest.raises(psycopg2.OperationalError, match='authentication failed for user "mlflow"'):
        log_in(platform, first)
    platform.aws.rds.stop_db_instance(DBInstanceIdentifier=INSTANCE)
    database.follow()
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        log_in(platform, second)
    platform.aws.rds.start_db_instance(DBInstanceIdentifier=INSTANCE)
    database.follow()
    assert log_in(platform, second) == "mlflow"
