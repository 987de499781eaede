"""The API's view of its database: one login, and what the server says to it."""

from __future__ import annotations

import psycopg2

from lab.images.api.settings import Database

CONNECT_TIMEOUT_S = 3


def error_of_login(database: Database) -> str | None:
    """None after a login and a query; otherwise the driver's message. Blocks."""
    try:
        session = psycopg2.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password,
            dbname=database.name,
            connect_timeout=CONNECT_TIMEOUT_S,
            sslmode="prefer",
        )
    except psycopg2.Error as error:
        return str(error).strip()
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error as error:
        return str(error).strip()
    finally:
        session.close()
    return None
