"""Stages of a conversation over the network, and what a failure in each of them is called."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.observation import Failure, FailureKind

_CONNECT_ERRNO = {
    errno.ECONNREFUSED: FailureKind.CONNECT_REFUSED,
    errno.ECONNRESET: FailureKind.CONNECT_RESET,
    errno.ETIMEDOUT: FailureKind.CONNECT_TIMEOUT,
    errno.EHOSTUNREACH: FailureKind.CONNECT_UNREACHABLE,
    errno.ENETUNREACH: FailureKind.RUNNER_OFFLINE,
}
_TIMED_OUT = {
    "dns": FailureKind.DNS_TIMEOUT,
    "connect": FailureKind.CONNECT_TIMEOUT,
    "tls": FailureKind.TLS_HANDSHAKE,
    "read": FailureKind.READ_TIMEOUT,
}


class StageError(Exception):
    """A failure with its kind already known."""

    def __init__(self, kind: FailureKind, message: str, remedy: str | None = None) -> None:
        self.failure = Failure(kind=kind, message=message, remedy=remedy)
        super().__init__(message)

    def __reduce__(self) -> tuple[type[StageError], tuple[FailureKind, str, str | None]]:
        """Pickle whole: `args` is the message alone."""
        return StageError, (self.failure.kind, self.failure.message, self.failure.remedy)


class Clock:
    """Names the stage that a conversation is in, and times each of them in milliseconds."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.started = time.perf_counter()
        self.stage = "dns"
        self.timings: dict[str, float] = {}

    @contextmanager
    def during(self, stage: str) -> Iterator[None]:
        """Time ``stage``; it stays the current one if it fails."""
        self.stage, begun = stage, time.perf_counter()
        yield
        self.timings[stage] = round((time.perf_counter() - begun) * 1000, 3)

    def elapsed_ms(self) -> float:
        """Milliseconds since the conversation began."""
        return round((time.perf_counter() - self.started) * 1000, 3)

    def failure(self, error: BaseException, where: str) -> Failure:
        """Return what ``error``, raised in the current stage towards ``where``, is called."""
        # Imported here: whoever only judges needs the kinds of failures, and no sockets.
        import ssl

        if isinstance(error, StageError):
            return error.failure
        if isinstance(error, TimeoutError) and error.errno is None:
            return self._timed_out(where)
        if isinstance(error, ssl.SSLCertVerificationError):
            return Failure(kind=FailureKind.TLS_VERIFY, message=f"{where}: {error.verify_message}")
        if isinstance(error, ssl.SSLError) and self.stage == "tls":
            reason = error.reason or error
            return Failure(kind=FailureKind.TLS_HANDSHAKE, message=f"{where}: {reason}")
        if isinstance(error, OSError):
            return self._os_failure(error, where)
        return Failure(
            kind=FailureKind.INTERNAL_ERROR,
            message=f"{where}: {type(error).__name__} while in stage {self.stage}",
        )

    def _timed_out(self, where: str) -> Failure:
        kind = _TIMED_OUT[self.stage]
        return Failure(kind=kind, message=f"{where}: no answer within {self.deadline:g} s")

    def _os_failure(self, error: OSError, where: str) -> Failure:
        if self.stage == "read":
            return Failure(kind=FailureKind.READ_RESET, message=f"{where}: {error.strerror}")
        if self.stage == "tls":
            kind = FailureKind.TLS_HANDSHAKE
            return Failure(kind=kind, message=f"{where}: connection closed during the handshake")
        kind = _CONNECT_ERRNO.get(error.errno or 0, FailureKind.CONNECT_UNREACHABLE)
        return Failure(kind=kind, message=f"{where}: {error.strerror or error}")
