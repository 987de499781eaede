"""Folders outside the lab's own that vanish with this process, however it ends."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

_PREFIX = "hokusai-lab-postgres-"
# Its input ends when this process closes it or dies. A server that is dying at that moment may
# still write a file or two, so removing is tried again for a while.
_SCRIPT = 'cat >/dev/null; for _ in 1 2 3 4 5 6 7 8 9; do rm -rf -- "$@" && break; sleep 0.1; done'
_DEADLINE = 10.0


class Janitor:
    """Makes temporary folders and removes them when asked to, or when this process is gone.

    `note` names the folders as long as they exist, for the case that the janitor was killed too.
    """

    def __init__(self, note: Path) -> None:
        """Nothing is made before `folder`."""
        self._note = note
        self._watchers: list[subprocess.Popen[bytes]] = []

    def folder(self, base: Path) -> Path:
        """A new folder under `base` that anybody may traverse."""
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        made.chmod(0o711)
        with self._note.open("a") as note:
            note.write(f"{made}\n")
        self._watchers.append(
            subprocess.Popen(
                ["sh", "-c", _SCRIPT, "sh", str(made)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is not for the janitor
            )
        )
        return made

    def remove(self) -> None:
        """Remove every folder made; returns when they are gone. May be called more than once."""
        for watcher in self._watchers:
            watcher.communicate(timeout=_DEADLINE)
        self._watchers.clear()
        self._note.unlink(missing_ok=True)


def remove_noted(note: Path) -> None:
    """Remove what a janitor that was killed has left. Nothing happens if there is no note."""
    if not note.exists():
        return
    for line in note.read_text().splitlines():
        if Path(line).name.startswith(_PREFIX):
            shutil.rmtree(line, ignore_errors=True)
    note.unlink()
