"""Ctrl-C and SIGTERM end a run even where Python loses them, with all that was seen written.

A KeyboardInterrupt that comes up in a finalizer or a callback of the interpreter is only printed.
So the session is told as well: it stops before the next check.
"""

from __future__ import annotations

import signal
from types import FrameType

import pytest


def watch(session: pytest.Session) -> None:
    """Let SIGINT and SIGTERM stop the session; what somebody else handles already stays theirs."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        session.shouldstop = "interrupted"
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # A pipeline that cancels a step sends this one.
        signal.signal(signal.SIGTERM, interrupt)
    session.config.add_cleanup(lambda: _restore(interrupt))


def _restore(mine: object) -> None:
    if signal.getsignal(signal.SIGINT) is mine:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is mine:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
