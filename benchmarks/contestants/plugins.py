"""The check_* monitoring plugins, all of them started at once by one shell."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from benchmarks.command import Command
from benchmarks.job import DEADLINE_S, Job, Target

FOLDER = Path("/usr/lib/nagios/plugins")
ADDRESS = "127.0.0.1"
NEEDED = ("check_http", "check_tcp", "check_dig", "check_pgsql")
INSTALL = "apt-get install monitoring-plugins-basic monitoring-plugins-standard bind9-dnsutils"


def missing() -> str | None:
    """Return what has to be installed, or None."""
    there = all((FOLDER / name).exists() for name in NEEDED) and shutil.which("dig")
    return None if there else INSTALL


def prepare(folder: Path, job: Job, *, fails: bool) -> Command:
    """Return the command that does the job; how each check ended is its exit code."""
    lines = [f'{_check(target)} >/dev/null & pids="$pids $!"' for target in job.targets]
    waits = 'bad=0; for pid in $pids; do wait "$pid" || bad=1; done; exit "$bad"'
    script = folder / "job.sh"
    script.write_text("\n".join(["#!/bin/sh", "pids=", *lines, waits, ""]))
    return Command(["sh", str(script)], folder, {}, frozenset({1 if fails else 0}))


def _check(target: Target) -> str:
    check, port, limit = target.check, str(target.port), str(int(DEADLINE_S))
    match check.kind:
        case "http":
            words = [
                "check_http",
                "-I",
                ADDRESS,
                "-p",
                port,
                "-u",
                f"/{check.name}",
                "-s",
                "healthy",
            ]
        case "tls":
            words = ["check_tcp", "-H", ADDRESS, "-p", port, "-S", "-D", "1"]
        case "dns":
            words = ["check_dig", "-H", ADDRESS, "-p", port, "-l", check.name, "-a", ADDRESS]
        case "tcp":
            words = ["check_tcp", "-H", ADDRESS, "-p", port]
        case "postgres":
            words = ["check_pgsql", "-H", ADDRESS, "-P", port, "-d", check.name, "-l", "mlflow"]
    return shlex.join([str(FOLDER / words[0]), *words[1:], "-t", limit])
