"""Container health checks: the command of the task definition, as far as it is an HTTP request."""

from __future__ import annotations

import http.client
import re
from urllib.parse import SplitResult, urlsplit

from lab.ecs.model import Task
from lab.tempo import CALM, compressed, patience

_CURL = re.compile(r"\bcurl\b[^|&;]*?(http://[^\s'\"|&;]+)")
_LOCAL = {"localhost", "127.0.0.1", "0.0.0.0"}  # noqa: S104 - in a task: its own address
_INTERVAL, _TIMEOUT, _RETRIES = 30.0, 5.0, 3


def has_check(task: Task) -> bool:
    """Whether the container's health is judged at all (else it stays UNKNOWN, as at AWS)."""
    return _url(task) is not None


def check(task: Task) -> bool:
    """Run the check once. A status from 400 on fails it, as with `curl -f`."""
    url, interface = _url(task), task.interface
    if url is None or interface is None:
        return True
    host = interface.address if url.hostname in _LOCAL else (url.hostname or "")
    timeout = patience(_setting(task, "timeout", _TIMEOUT))
    connection = http.client.HTTPConnection(host, url.port or 80, timeout=timeout)
    try:
        path = url.path + (f"?{url.query}" if url.query else "")
        connection.request("GET", path or "/", headers={"Host": url.netloc, "User-Agent": "curl"})
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def note(task: Task, passed: bool, now: float) -> None:
    """Take over the outcome of a check; failures in the start period do not count."""
    if passed:
        task.failed_checks, task.health, task.next_check = 0, "HEALTHY", now + CALM
        return
    task.next_check = now + compressed(_setting(task, "interval", _INTERVAL))
    grace = compressed(_setting(task, "startPeriod", 0))
    if task.health == "HEALTHY" or now - (task.started_at or now) > grace:
        task.failed_checks += 1
    if task.failed_checks >= int(_setting(task, "retries", _RETRIES)):
        task.health = "UNHEALTHY"


def _setting(task: Task, name: str, default: float) -> float:
    return float(task.container.get("healthCheck", {}).get(name) or default)


def _url(task: Task) -> SplitResult | None:
    command = " ".join(task.container.get("healthCheck", {}).get("command", []))
    found = _CURL.search(command)
    return urlsplit(found[1]) if found else None
