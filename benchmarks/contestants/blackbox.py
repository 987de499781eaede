"""Prometheus' blackbox exporter, which runs already, asked for all probes at once by one curl.

It knows no PostgreSQL login: those six are TCP connections here.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from benchmarks.command import Command
from benchmarks.job import DEADLINE_S, Job, Target

PROGRAM = "prometheus-blackbox-exporter"
INSTALL = "apt-get install prometheus-blackbox-exporter"
ADDRESS = "127.0.0.1"
START_S = 10.0


def missing() -> str | None:
    """Return what has to be installed, or None."""
    return None if shutil.which(PROGRAM) and shutil.which("curl") else INSTALL


@contextlib.contextmanager
def serving(folder: Path, job: Job) -> Iterator[int]:
    """Run the exporter with a module for each kind of check; yields its port."""
    modules: dict[str, Any] = {
        "http": {"prober": "http", "http": {"fail_if_body_not_matches_regexp": ["healthy"]}},
        "tls": {"prober": "tcp", "tcp": {"tls": True, "tls_config": {"ca_file": job.ca}}},
        "tcp": {"prober": "tcp"},
        "postgres": {"prober": "tcp"},
    }
    for target in job.of("dns"):
        question = {"query_name": target.check.name, "query_type": "A"}
        modules[target.check.name] = {"prober": "dns", "dns": question}
    for module in modules.values():
        module["timeout"] = f"{DEADLINE_S:g}s"
    (folder / "blackbox.yml").write_text(yaml.safe_dump({"modules": modules}))
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    options = ("--config.file=blackbox.yml", f"--web.listen-address={ADDRESS}:{port}")
    exporter = subprocess.Popen(
        [PROGRAM, *options, "--log.level=error"], cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        ready = ["curl", "-sf", "-o", "/dev/null", "--retry", "50", "--retry-delay", "0"]
        url = f"http://{ADDRESS}:{port}/-/healthy"
        subprocess.run([*ready, "--retry-connrefused", url], check=True, timeout=START_S)
        yield port
    finally:
        exporter.terminate()
        exporter.wait()


def prepare(folder: Path, job: Job, port: int) -> Command:
    """Return the command that does the job by the exporter on ``port``."""
    lines = []
    for target in job.targets:
        lines += [f'url = "http://{ADDRESS}:{port}/probe?{urlencode(_asked(target))}"']
        lines += ["output = /dev/null"]
    (folder / "curl.conf").write_text("\n".join(lines) + "\n")
    several = ["--parallel", "--parallel-immediate", "--parallel-max", str(len(job.targets))]
    return Command(["curl", "-s", *several, "--config", "curl.conf"], folder)


def _asked(target: Target) -> dict[str, str]:
    kind, where = target.check.kind, f"{ADDRESS}:{target.port}"
    if kind == "http":
        return {"module": kind, "target": f"http://{where}/{target.check.name}"}
    return {"module": target.check.name if kind == "dns" else kind, "target": where}
