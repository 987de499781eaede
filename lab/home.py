"""Where labs keep what: `.lab/labs/<n>/` while they run, `.lab/logs/` after, `.lab/cache/`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.addresses import CHOSEN_BY_ITSELF, CONTROL_PLANE_PORT, Network

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".lab"
CACHE = HOME / "cache"
LABS = HOME / "labs"
LOGS = HOME / "logs"
_RECORD = "lab.json"
_KEPT_LOGS = 10
# A unix socket's path may have 107 bytes; the longest name in a folder of ours is short.
_LONGEST_FOLDER = 80
_BACKLOG = 128


class LabError(Exception):
    """Something that the user can mend; the message is one line."""


@dataclass(frozen=True, slots=True)
class Record:
    """A running lab, as others find it. `started` tells its process from a later one."""

    number: int
    pid: int
    started: str
    scenario: str
    logs: str
    sockets: str
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        """The folder of the lab's state."""
        return LABS / str(self.number)

    @property
    def alive(self) -> bool:
        """Whether the lab's process runs."""
        return process_start(self.pid) == self.started


def process_start(pid: int) -> str:
    """When a process was started, in ticks since boot; empty when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def claim(number: int | None) -> tuple[Network, socket.socket]:
    """Take a lab number by binding its control plane's port; the socket listens.

    Raises LabError if the number is in use or none is left.
    """
    candidates = CHOSEN_BY_ITSELF if number is None else (number,)
    for candidate in candidates:
        try:
            network = Network(candidate)
        except ValueError as error:
            raise LabError(str(error)) from None
        with contextlib.suppress(OSError):
            return network, _bind(network)
    if number is None:
        raise LabError("no lab number is free; 'python -m lab status' shows the running labs")
    raise LabError(f"lab number {number} is in use: {Network(number).control_plane} is taken")


def open_folder(record: Record) -> None:
    """Make a lab's folder with its record in it, at once: nobody ever sees it without."""
    remove_folder(record.number)
    LABS.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".new-", dir=LABS))
    write_record(record, staging)
    staging.rename(record.folder)


def write_record(record: Record, folder: Path | None = None) -> None:
    """Write (or replace) a lab's record, readable by its owner only."""
    target = (folder or record.folder) / _RECORD
    draft = target.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(record)))
    draft.rename(target)


def sockets_folder(number: int) -> Path:
    """A folder for unix sockets: the lab's own, or where that path is too long a temporary one."""
    folder = LABS / str(number)
    if len(str(folder)) <= _LONGEST_FOLDER:
        return folder
    return Path(tempfile.gettempdir()) / f"hokusai-lab-{os.getuid()}-{number}"


def new_logs(number: int) -> Path:
    """A new folder for a lab's logs; the oldest of all labs' are removed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.strftime("%Y%m%d-%H%M%S")
    made = LOGS / f"{number}-{start}-{os.getpid()}"
    made.mkdir()
    kept = sorted(LOGS.iterdir(), key=lambda each: each.stat().st_mtime)
    for old in kept[:-_KEPT_LOGS]:
        shutil.rmtree(old, ignore_errors=True)
    return made


def running() -> list[Record]:
    """Every running lab of this checkout; what killed ones have left is removed first."""
    found = []
    for record in _records():
        if record.alive:
            found.append(record)
        else:
            remove_folder(record.number)
            shutil.rmtree(record.sockets, ignore_errors=True)
    return sorted(found, key=lambda each: each.number)


def remove_folder(number: int) -> None:
    """Remove a lab's folder and whatever its database has noted there."""
    folder = LABS / str(number)
    if folder.exists():
        from lab.postgres import place

        place.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _records() -> Iterator[Record]:
    for path in LABS.glob(f"[0-9]*/{_RECORD}"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            yield Record(**json.loads(path.read_text()))


def _bind(network: Network) -> socket.socket:
    address = (network.control_plane, CONTROL_PLANE_PORT)
    return socket.create_server(address, backlog=_BACKLOG)
