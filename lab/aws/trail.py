"""Who called what of AWS, and how it was answered: the lab's CloudTrail, one JSON line a call."""

from __future__ import annotations

import json
from pathlib import Path

from lab.aws.answer import Answer
from lab.aws.call import Call

NAME = "aws-calls.log"


class Trail:
    """A watcher for `lab.aws.hooks`; usable from several threads."""

    def __init__(self, path: Path, access_key: str) -> None:
        """`access_key` is the one that the lab hands out; all others are the lab's own."""
        self._file = path.open("ab", buffering=0)
        self._access_key = access_key

    def watch(self, call: Call, answer: Answer) -> None:
        """Write a line, if it was somebody else than the lab."""
        if call.access_key == self._access_key:
            line = {
                "at": round(call.received, 3),
                "service": call.service,
                "operation": call.operation,
                "status": answer.status,
            }
            self._file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file; the endpoint has stopped."""
        self._file.close()
