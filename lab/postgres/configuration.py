"""The server's configuration files: fast, and as RDS has it where it shows."""

from __future__ import annotations

from collections.abc import Sequence

FORCE_SSL = ("hostssl all all 0.0.0.0/0 scram-sha-256",)
ALLOW_PLAIN = ("host all all 0.0.0.0/0 scram-sha-256",)

_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "2MB",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "60",
    # Not in /dev/shm: nothing outside the data directory can be left behind.
    "dynamic_shared_memory_type": "mmap",
}
_AS_RDS = {
    "password_encryption": "scram-sha-256",
    "log_connections": "on",
    "log_disconnections": "on",
    # More than RDS does by default: whether anybody wrote is asked of the lab.
    "log_statement": "mod",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def server(address: str, port: int, *, tls: bool) -> str:
    """postgresql.conf; with TLS the data directory must hold server.crt and server.key."""
    values = {
        "listen_addresses": address,
        "port": str(port),
        "unix_socket_directories": "",
        **_FAST,
        **_AS_RDS,
    }
    if tls:
        values |= {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
    return "".join(f"{name} = '{value}'\n" for name, value in values.items())


def host_rules(administrator: str, lines: Sequence[str] = FORCE_SSL) -> str:
    """pg_hba.conf: the given rules, and before them the way in that the lab itself keeps."""
    own = f"host all {administrator} 127.0.0.1/32 scram-sha-256"
    return "".join(f"{line}\n" for line in (own, *lines))
