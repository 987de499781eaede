"""`lab exec`: run a command inside a running task.

The standard library only, and no other module of the lab: this runs for every probe in a task and
has to start in milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

CANNOT = 125  # as docker exec: the command was not run
_PATIENCE = 10.0


def run(arguments: list[str], labs: Path) -> NoReturn:
    """`--lab N SERVICE [--] COMMAND…`: become that command. Ends with `CANNOT` if it cannot."""
    number, service, argv = _parse(arguments)
    answer = ask(labs / number, {"ask": "inside", "service": service, "argv": argv})
    if "error" in answer:
        fail(answer["error"])
    _become(answer)


def ask(folder: Path, question: dict[str, Any], patience: float = _PATIENCE) -> dict[str, Any]:
    """Ask the lab that keeps its state in `folder`; `error` in the answer says why it could not."""
    elsewhere = Path(tempfile.gettempdir()) / f"hokusai-lab-{os.getuid()}-{folder.name}"
    for place in (folder, elsewhere):
        path = place / "control.sock"
        if path.exists():
            return _exchange(path, question, patience)
    return {"error": f"lab {folder.name} does not run"}


def fail(message: str) -> NoReturn:
    """Say in one line why the command was not run."""
    print(f"lab: {message}", file=sys.stderr)
    raise SystemExit(CANNOT)


def _parse(arguments: list[str]) -> tuple[str, str, list[str]]:
    words = list(arguments)
    number = words[1] if words[:1] == ["--lab"] and len(words) > 1 else ""
    rest = words[2:] if number else words
    service, argv = (rest[0], rest[1:]) if rest else ("", [])
    if argv[:1] == ["--"]:
        argv = argv[1:]
    if not number.isdigit() or not service or not argv:
        fail("usage: exec --lab N SERVICE [--] COMMAND [ARGUMENT…]")
    return number, service, argv


def _exchange(path: Path, question: dict[str, Any], patience: float) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience)
            connection.connect(str(path))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        return {"error": f"the lab does not answer: {error}"}
    return answer


def _become(answer: dict[str, Any]) -> NoReturn:
    argv: list[str] = answer["argv"]
    environment: dict[str, str] = answer["environment"]
    try:
        os.chdir(answer["folder"])
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - that is what it is for
    except OSError as error:
        fail(f"{argv[0]}: {error.strerror}")
