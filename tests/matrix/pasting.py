"""Runs a printed command as somebody would who pastes it: in a shell, with the real `aws` CLI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_WITHIN = 60.0
# Installed beside Python; the shim stands in for jq where the machine has none.
_SHIM = f"""#!{sys.executable}
import sys, jq, json
raw, program = sys.argv[1] == "-r", sys.argv[-1]
for value in jq.compile(program).input_text(sys.stdin.read()):
    print(value if raw and isinstance(value, str) else json.dumps(value, indent=2))
"""


def paste(command: str, lab: Mapping[str, str], folder: Path) -> str:
    """Run a command line in a shell in `folder`; returns what it printed.

    Fails the test with what the command said, if it fails.
    """
    tools = Path(sys.executable).parent
    path = f"{_with_jq(folder)}:{tools}:{os.environ['PATH']}"
    variables = {**os.environ, **lab, "PATH": path, "AWS_PAGER": ""}
    shell = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(
        shell,
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def _with_jq(folder: Path) -> Path:
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if shutil.which("jq") is None:
        shim = tools / "jq"
        shim.write_text(_SHIM)
        shim.chmod(0o755)
    return tools
