"""Access log lines in AWS's documented format, fields up to conn_trace_id."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

_CLIENT_LEFT = 460
NO_RULE = -1


@dataclass(slots=True)
class Entry:
    """One request as it is being served; times are seconds on the monotonic clock."""

    protocol: str
    balancer_arn: str
    client: str
    connection_id: str
    tls: ssl.SSLObject | None = None
    trace_id: str = "-"
    request_line: str = "- - -"
    user_agent: str = "-"
    domain: str = "-"
    certificate: str = "-"
    rule_priority: int = NO_RULE
    actions: str = "-"
    redirect_url: str = "-"
    target_group: str = "-"
    target: str = "-"
    status: int = _CLIENT_LEFT
    target_status: int | None = None
    received: int = 0
    sent: int = 0
    created: float = field(default_factory=time.time)
    begun: float = field(default_factory=time.monotonic)
    dispatched: float | None = None
    answered: float | None = None

    def line(self) -> str:
        """The finished line, without its end."""
        now, started = time.monotonic(), self.dispatched
        answered = self.answered if started is not None else None
        cipher, version = _tls(self.tls)
        target_status = str(self.target_status or "-")
        parts = [
            self.protocol,
            _iso(self.created + now - self.begun),
            self.balancer_arn.partition("loadbalancer/")[2] or self.balancer_arn,
            self.client,
            self.target,
            _seconds(self.begun, started if answered else None),
            _seconds(started, answered),
            _seconds(answered, now),
            str(self.status),
            target_status,
            str(self.received),
            str(self.sent),
            _quoted(self.request_line),
            _quoted(self.user_agent),
            cipher,
            version,
            self.target_group,
            _quoted(self.trace_id),
            _quoted(self.domain),
            _quoted(self.certificate),
            str(self.rule_priority),
            _iso(self.created),
            _quoted(self.actions),
            _quoted(self.redirect_url),
            _quoted("-"),  # error_reason: for actions that are not replicated here
            _quoted(self.target),
            _quoted(target_status),
            _quoted("-"),  # classification, and its reason: of the desync guard
            _quoted("-"),
            self.connection_id,
        ]
        return " ".join(parts)


class AccessLog:
    """Appends lines to a file; a line is complete in the file as soon as its request is."""

    def __init__(self, path: Path) -> None:
        """The file is opened by the first line."""
        self._path = path
        self._stream: TextIO | None = None

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("a", buffering=1, encoding="utf-8")
        self._stream.write(f"{entry.line()}\n")

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _iso(moment: float) -> str:
    text = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _seconds(begin: float | None, end: float | None) -> str:
    """Three decimals; -1 when the request was not dispatched, or not answered."""
    return "-1" if begin is None or end is None else f"{max(0.0, end - begin):.3f}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "\\x22").replace("\n", "\\x0A") + '"'


def _tls(connection: ssl.SSLObject | None) -> tuple[str, str]:
    cipher = connection.cipher() if connection is not None else None
    return (cipher[0], cipher[1]) if cipher else ("-", "-")
