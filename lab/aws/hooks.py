"""The table of hooks: who answers, sees or refuses which AWS operation instead of moto.

A handler for (service, operation) comes before moto; so does a gate, for every operation. Watchers
see every call with its answer. None of them is called with the control plane's lock held.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from lab.aws.answer import Answer, AwsError, refusal
from lab.aws.call import Call

Handler = Callable[[Call], Answer | None]
Correction = Callable[[Call, Answer], Answer]
Watcher = Callable[[Call, Answer], None]

_log = logging.getLogger(__name__)


class Hooks:
    """Filled while the lab starts, and at run time by faults; every method is safe in threads."""

    def __init__(self) -> None:
        """An empty table: moto answers everything."""
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._corrections: dict[tuple[str, str], Correction] = {}
        self._gates: tuple[Handler, ...] = ()
        self._watchers: tuple[Watcher, ...] = ()

    def handle(self, service: str, operation: str, handler: Handler) -> None:
        """Let `handler` answer this operation; where it returns None, moto answers."""
        self._handlers[service, operation] = handler

    def correct(self, service: str, operation: str, correction: Correction) -> None:
        """Let `correction` change moto's (or the handler's) answer to this operation."""
        self._corrections[service, operation] = correction

    def gate(self, handler: Handler) -> Callable[[], None]:
        """Ask `handler` before every operation; what it returns or raises ends the call.

        Returns what takes the gate away again.
        """
        self._gates = (*self._gates, handler)
        return lambda: self._remove_gate(handler)

    def watch(self, watcher: Watcher) -> None:
        """Show every call and its answer to `watcher`."""
        self._watchers = (*self._watchers, watcher)

    def before(self, call: Call) -> Answer | None:
        """The answer of the first gate or of the handler; None when moto is to answer."""
        candidates = (*self._gates, self._handlers.get((call.service, call.operation)))
        for handler in candidates:
            if handler is None:
                continue
            answer = _ask(handler, call)
            if answer is not None:
                return answer
        return None

    def after(self, call: Call, answer: Answer) -> Answer:
        """The corrected answer, after every watcher has seen it."""
        correction = self._corrections.get((call.service, call.operation))
        if correction is not None and answer.status < 300:
            answer = correction(call, answer)
        for watcher in self._watchers:
            watcher(call, answer)
        return answer

    def _remove_gate(self, handler: Handler) -> None:
        self._gates = tuple(gate for gate in self._gates if gate is not handler)


def _ask(handler: Handler, call: Call) -> Answer | None:
    try:
        return handler(call)
    except AwsError as error:
        return refusal(call, error)
    except Exception as error:
        _log.exception("%s %s", call.service, call.operation)
        text = f"the lab failed to answer: {type(error).__name__}: {error}"
        return refusal(call, AwsError("InternalFailure", text, 500))
