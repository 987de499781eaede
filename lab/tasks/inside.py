"""What a process of a task finds: its variables, its tools, and where the lab's network is."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ADDRESS, RESOLVER, POLICY = "LAB_TASK_ADDRESS", "LAB_RESOLVER", "LAB_POLICY"
PYTHON = "LAB_PYTHON"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a task is: its address, the resolver (address:port), the VPC policy's socket."""

    address: str
    resolver: str
    policy: Path
    folder: Path


def variables(task: Surroundings, own: Mapping[str, str]) -> dict[str, str]:
    """A task's variables: its own, and what makes the lab's network apply to its processes."""
    return {
        "PATH": f"{HERE / 'bin'}:{SYSTEM_PATH}",
        "HOME": str(task.folder),
        "LANG": "C.UTF-8",
        **own,
        "PYTHONPATH": f"{HERE / 'site'}:{ROOT}",
        PYTHON: sys.executable,
        ADDRESS: task.address,
        RESOLVER: task.resolver,
        POLICY: str(task.policy),
    }


def exec_argv(
    task: Surroundings, own: Mapping[str, str], argv: Sequence[str]
) -> tuple[list[str], dict[str, str], Path]:
    """How to run a command inside a task: argument vector, environment, working folder."""
    return list(argv), variables(task, own), task.folder


def toolbox(folder: Path, missing: Collection[str]) -> Path:
    """A folder with the programs of an image that lacks some; made once in `folder`.

    Without a shell there is nothing but Python; without Python, everything else.
    """
    box = folder / ("without-" + "-".join(sorted(missing)))
    if not box.exists():
        draft = Path(tempfile.mkdtemp(dir=folder))
        for name, program in _programs("sh" in missing).items():
            if not name.startswith(tuple(missing)):
                (draft / name).symlink_to(program)
        draft.rename(box)
    return box


def _programs(only_python: bool) -> dict[str, Path]:
    own = {path.name: path for path in (HERE / "bin").iterdir()}
    if only_python:
        return {name: path for name, path in own.items() if name.startswith("python")}
    places = (Path(place) for place in SYSTEM_PATH.split(":"))
    found = {path.name: path for place in places if place.is_dir() for path in place.iterdir()}
    return {name: path for name, path in found.items() if "python" not in name} | own
