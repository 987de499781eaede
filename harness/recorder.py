"""The record of a run: every observation, one JSON document a line, as it comes in."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import msgspec

from harness.errors import UsageError
from harness.observation import AnyObservation, Observation


class Recorder:
    """Appends observations to a file; each is on disk before anybody judges it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self.problem: OSError | None = None

    def __call__(self, observation: Observation) -> None:
        line = msgspec.json.encode(observation) + b"\n"
        with self._lock:
            # A full disk costs the record, not the judgement: what was seen is in memory as well.
            if self._file.closed or self.problem is not None:
                return
            try:
                written = self._file.write(line)
                if written != len(line):
                    self._file.write(line[written:])
            except OSError as error:
                self.problem = error

    def close(self) -> None:
        """Close the file; later observations are dropped."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read(path: Path) -> dict[str, Observation]:
    """Return the observations of a record by their probe's key. Raises UsageError."""
    return {observation.probe: observation for observation in read_all(path)}


def read_all(path: Path) -> list[Observation]:
    """Return the observations of a record in its order. Raises UsageError."""
    decoder = msgspec.json.Decoder(AnyObservation)
    found: list[Observation] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise UsageError(f"{path}:{number}: is not an observation: {error}") from None
    return found
