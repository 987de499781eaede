"""The VPC's verdicts for the tasks: a unix socket, one JSON line for each question.

`{"from": "127.20.16.10", "to": "127.20.1.10", "port": 443}` is answered with `{"verdict": "drop"}`
or `{"verdict": "allow", "port": 8443}`: the loopback port that stands for the one asked for.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.edge import bound_port
from lab.lines import LineServer
from lab.vpc import Vpc


class PolicyServer(LineServer):
    """Answers on a unix socket until closed."""

    def __init__(self, path: Path, vpc: Vpc) -> None:
        """Bind the socket."""
        super().__init__("policy", path, lambda line: _verdict(line, vpc))


def _verdict(line: bytes, vpc: Vpc) -> dict[str, str | int]:
    try:
        question = json.loads(line)
        port = int(question["port"])
        allowed = vpc.allows(question["from"], question["to"], port)
    except (ValueError, KeyError, TypeError):
        allowed = False
    return {"verdict": "allow", "port": bound_port(port)} if allowed else {"verdict": "drop"}
