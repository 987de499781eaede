"""The lab's database server: logins, SSL, passwords, faults, and what is left behind."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from lab.pki import Authority
from lab.postgres import PostgresServer, Settings, place

ADDRESS = "127.250.40.1"
ENDPOINT = "hokusai-mlflow-development.test.us-east-1.rds.amazonaws.com"
REPOSITORY = Path(__file__).resolve().parents[3]
ODD = "p@ss'w\"o%20rd/ü ;--\\"


def no_migration(_url: str) -> None:
    """MLflow's own migration takes seconds: it has its own test."""


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def settings(
    authority: Authority, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    folder = tmp_path_factory.mktemp("lab")
    return Settings(
        address=ADDRESS,
        passwords={"mlflow": ODD, "postgres": secrets.token_urlsafe()},
        identity=authority.issue(ENDPOINT),
        cache_dir=cache,
        folder=folder,
        log=folder / "postgres.log",
        migrate=no_migration,
    )


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[PostgresServer]:
    with PostgresServer(settings) as running:
        yield running


def login(server: PostgresServer, user: str, password: str, **more: str) -> tuple[str, bool]:
    """The user that a login ends up as, and whether it was encrypted."""
    values = {"host": server.settings.address, "port": "5432", "dbname": "mlflow_db", **more}
    connection = psycopg2.connect(make_dsn(user=user, password=password, **values))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            row = cursor.fetchone()
        assert row is not None
        return row[0], bool(connection.info.ssl_in_use)
    finally:
        connection.close()


def test_the_mlflow_role_owns_its_database_and_logs_in_encrypted(server: PostgresServer) -> None:
    assert login(server, "mlflow", ODD) == ("mlflow", True)
    owner = server.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", ("mlflow_db",)
    )
    assert owner == [("mlflow",)]


def test_the_wrong_role_gets_the_servers_own_words(server: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError) as caught:
        login(server, "postgres", ODD)
    expected = 'FATAL:  password authentication failed for user "postgres"'
    assert expected in str(caught.value)
    assert f'connection to server at "{ADDRESS}", port 5432 failed' in str(caught.value)


def test_a_plain_connection_is_refused_as_rds_does(server: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba\.conf entry .* no encryption"):
        login(server, "mlflow", ODD, sslmode="disable")


def test_the_certificate_is_the_endpoints(
    server: PostgresServer, authority: Authority, tmp_path: Path
) -> None:
    bundle = str(authority.write_bundle(tmp_path / "ca.pem"))
    trusted = {"sslmode": "verify-full", "sslrootcert": bundle, "hostaddr": ADDRESS}
    assert login(server, "mlflow", ODD, host=ENDPOINT, **trusted) == ("mlflow", True)
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        login(server, "mlflow", ODD, host="database.invalid", **trusted)


def test_a_rotated_password_is_wanted_from_then_on(server: PostgresServer) -> None:
    server.set_role_password("mlflow", "rotated")
    try:
        assert login(server, "mlflow", "rotated")[0] == "mlflow"
        with pytest.raises(
            psycopg2.OperationalError, match='authentication failed for user "mlflow"'
        ):
            login(server, "mlflow", ODD)
    finally:
        server.set_role_password("mlflow", ODD)


def test_host_rules_and_certificate_can_be_replaced_while_it_runs(
    server: PostgresServer, authority: Authority
) -> None:
    server.reload_hba(["host all all 0.0.0.0/0 scram-sha-256"])
    try:
        _until(lambda: login(server, "mlflow", ODD, sslmode="disable") == ("mlflow", False))
        server.set_identity(authority.wrong_name())
        assert server.execute("SELECT 1") == [(1,)]
    finally:
        server.reload_hba()
        server.set_identity(server.settings.identity)


def _until(attempt: object, seconds: float = 2.0) -> None:
    """A reload takes effect a moment after the signal."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if callable(attempt) and attempt():
                return
        except psycopg2.OperationalError as error:
            last = error
    raise AssertionError(f"not within {seconds} s: {last}")


def test_connections_are_logged_as_rds_logs_them(server: PostgresServer) -> None:
    login(server, "mlflow", ODD)
    log = server.settings.log.read_text()
    assert "connection authorized: user=mlflow database=mlflow_db SSL enabled" in log
    assert ":mlflow@mlflow_db:[" in log
    assert ODD not in log


def test_a_stopped_server_refuses_and_comes_back_with_its_data(server: PostgresServer) -> None:
    server.execute("CREATE TABLE kept (n int)")
    server.stop()
    assert not server.alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ADDRESS, 5432), timeout=1)
    server.start()
    assert server.execute("SELECT count(*) FROM kept") == [(0,)]


def test_a_lab_starts_from_the_cached_cluster_quickly_and_leaves_nothing(
    server: PostgresServer, settings: Settings, tmp_path: Path
) -> None:
    assert server.alive
    second = PostgresServer(
        replace(settings, address="127.250.40.2", folder=tmp_path, log=tmp_path / "log")
    )
    begun = time.monotonic()
    second.start()
    took = time.monotonic() - begun
    try:
        assert login(second, "mlflow", ODD)[0] == "mlflow"
        assert took < 2.0, f"a start from the template took {took:.2f} s"
    finally:
        second.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]


def test_a_taken_port_is_an_error_that_says_so(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.250.40.3", 5432))
        other.listen()
        taken = PostgresServer(
            replace(settings, address="127.250.40.3", folder=tmp_path, log=tmp_path / "log")
        )
        try:
            with pytest.raises(Exception, match="could not create any TCP/IP sockets"):
                taken.start()
        finally:
            taken.close()


@pytest.mark.skipif("__import__('os').geteuid() != 0", reason="only root switches the user")
def test_root_runs_it_from_private_folders_too(
    settings: Settings, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.alive
    monkeypatch.setattr(place, "SHARED_MEMORY", tmp_path / "none")
    monkeypatch.setattr(place, "_reachable", lambda _path: False)
    lab = tmp_path / "lab"
    settings = replace(settings, address="127.250.40.4", folder=lab, log=tmp_path / "log")
    with PostgresServer(settings) as hidden:
        folders = [Path(line) for line in (lab / "postgres-folders").read_text().split()]
        assert len(folders) == 2
        assert login(hidden, "mlflow", ODD)[0] == "mlflow"
    assert not [folder for folder in folders if folder.exists()]
    assert not list(lab.iterdir())


def test_without_shared_memory_the_data_are_in_the_labs_folder(
    settings: Settings, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.alive
    tmp_path.chmod(0o711)
    monkeypatch.setattr(place, "SHARED_MEMORY", tmp_path / "none")
    monkeypatch.setattr(place, "_reachable", lambda _path: True)
    home = place.prepare(tmp_path)
    assert home.folder == tmp_path / "postgres"
    home.remove()
    assert not list(tmp_path.iterdir())


def test_the_server_dies_with_the_process_that_started_it(
    settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    assert server.alive
    program = f"""
import os, signal
from pathlib import Path
from lab.pki import Authority
from lab.postgres import PostgresServer, Settings
PostgresServer(Settings(
    address="127.250.40.5", passwords={{}}, identity=Authority().issue("x.test"),
    cache_dir=Path({str(settings.cache_dir)!r}), folder=Path({str(tmp_path)!r}),
    log=Path({str(tmp_path / "log")!r}),
)).start()
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=30, check=False)
    assert done.returncode == -9
    _until(lambda: _refuses("127.250.40.5"))
    noted = (tmp_path / "postgres-folders").read_text().split()
    _until(lambda: not [folder for folder in noted if Path(folder).exists()])


def _refuses(address: str) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex((address, 5432)) != 0
