"""What a run has left on the machine: processes, and with them their ports, and files."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.home import ROOT

SHARED_MEMORY = Path("/dev/shm")
DATABASES = "hokusai-lab-postgres-*"
LEFT_OUT = {".git", ".venv", ".lab", "reports"}
# A lab whose owner was killed ends by itself, a moment later.
GONE_WITHIN = 15.0
ENDED_WITHIN = 60.0
HAPPENS_WITHIN = 40.0


def copy_of_the_checkout(folder: Path) -> Path:
    """A checkout of its own, so that labs of others are not in the way; with a warm cache."""
    checkout = folder / "checkout"
    shutil.copytree(
        ROOT,
        checkout,
        ignore=lambda folder, _names: LEFT_OUT if Path(folder) == ROOT else set(),
        symlinks=True,
    )
    (checkout / ".lab").mkdir()
    if (ROOT / ".lab" / "cache").is_dir():
        subprocess.run(["cp", "-a", ROOT / ".lab" / "cache", checkout / ".lab"], check=True)
    return checkout


def _databases() -> set[Path]:
    return set(SHARED_MEMORY.glob(DATABASES))


@dataclass
class Scene:
    """A checkout and a temporary folder; whatever was started here has that folder's name on it."""

    checkout: Path
    temporary: Path
    databases_before: set[Path] = field(default_factory=_databases)

    def begin(self, *arguments: str) -> Running:
        """Start ``python -m …`` as a shell does: in a process group of its own."""
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("HOKUSAI_", "AWS_"))
        }
        log = Path(f"{self.temporary}.said")
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self.checkout,
                env={**environment, "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log, self)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run ``python -m …`` to its end; its exit code and what it said."""
        running = self.begin(*arguments)
        return running.wait(), running.said

    def numbers(self) -> list[int]:
        """The numbers of the labs that run here."""
        records = self.checkout.glob(".lab/labs/*/lab.json")
        return sorted(int(record.parent.name) for record in records)

    def leftovers(self) -> list[str]:
        """Everything that is still there, one line each; waits for what is about to go."""
        deadline = time.monotonic() + GONE_WITHIN
        while (found := self._present()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def processes(self) -> list[str]:
        """The processes that came of what was started here."""
        return [_described(pid) for pid in _started_with(f"TMPDIR={self.temporary}")]

    def _present(self) -> list[str]:
        return [
            *self.processes(),
            *map(str, self.temporary.iterdir()),
            *map(str, self.checkout.glob(".lab/labs/*")),
            *(str(each) for each in _databases() - self.databases_before if not _watched(each)),
        ]


@dataclass
class Running:
    """A process that was started by ``Scene.begin``."""

    process: subprocess.Popen[bytes]
    _log: Path
    _scene: Scene

    @property
    def said(self) -> str:
        """What it has said so far, to stdout and stderr."""
        return self._log.read_text(errors="replace")

    def wait_until_it_says(self, text: str) -> None:
        """Wait for a text. Raises AssertionError with what it said instead."""
        deadline = time.monotonic() + HAPPENS_WITHIN
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"no '{text}' in: {self.said}"
            time.sleep(0.01)

    def wait_until_there_is(self, pattern: str) -> None:
        """Wait for a file in the checkout."""
        deadline = time.monotonic() + HAPPENS_WITHIN
        while not list(self._scene.checkout.glob(pattern)):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"no {pattern}: {self.said}"
            time.sleep(0.01)

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, within: float = ENDED_WITHIN) -> int:
        """Wait for the end; the exit code (negative: the signal)."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"does not end: {self.said}") from None


@contextlib.contextmanager
def scene(checkout: Path) -> Iterator[Scene]:
    """A scene; whatever is still there in the end is killed."""
    temporary = Path(tempfile.mkdtemp(prefix="hokusai-leftovers-"))
    temporary.chmod(0o711)
    made = Scene(checkout, temporary)
    try:
        yield made
    finally:
        for pid in _started_with(f"TMPDIR={temporary}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for left in checkout.glob(".lab/labs/*"):
            shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(temporary)
        Path(f"{temporary}.said").unlink(missing_ok=True)


def _started_with(marker: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            variables = (process / "environ").read_bytes().split(b"\0")
            if state != "Z" and marker.encode() in variables:
                found.append(int(process.name))
    return found


def _described(pid: int) -> str:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return f"process {pid}: {command.decode(errors='replace')[:120]}"
    return f"process {pid}"


def _watched(folder: Path) -> bool:
    """Whether a process belongs to a database's folder: then it is of somebody else's lab."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in command.read_bytes():
                return True
    return False
