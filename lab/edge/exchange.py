"""One request to a load balancer: the rule that applies, and the answer that follows."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass

import h11

from lab.edge import answers, forwarding
from lab.edge.access_log import AccessLog, Entry
from lab.edge.answers import Answer
from lab.edge.matching import Request, choose
from lab.edge.model import (
    ControlPlane,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Pace,
    Redirect,
    Target,
    TargetGroup,
)
from lab.edge.targets import Targets
from lab.edge.upstream import ConnectTimeoutError, connect
from lab.edge.wire import Wire

_DISCARD_DEADLINE = 1.0
_DEFAULT_RULE = 0


@dataclass(frozen=True, slots=True)
class Front:
    """What every connection of one listener needs to look the listener up."""

    control: ControlPlane
    targets: Targets
    log: AccessLog
    pace: Pace
    balancer_arn: str
    port: int

    def current(self) -> tuple[LoadBalancer, Listener] | None:
        """The load balancer and the listener as they are now; None when deleted."""
        balancer = self.control.load_balancer(self.balancer_arn)
        if balancer is None:
            return None
        listener = next((each for each in balancer.listeners if each.port == self.port), None)
        return None if listener is None else (balancer, listener)


class Exchange:
    """Serves one request; the connection stays the caller's."""

    def __init__(
        self,
        front: Front,
        wire: Wire,
        current: tuple[LoadBalancer, Listener],
        head: h11.Request,
        entry: Entry,
    ) -> None:
        """Fills the access log's entry with what is known so far."""
        self._front, self._wire, self._head, self._entry = front, wire, head, entry
        self._balancer, self._listener = current
        self._request = _parsed(head, entry.client.rpartition(":")[0])
        self._trace = _trace(self._request)
        self._describe()

    async def serve(self) -> None:
        """Answer the request. Raises OSError or ProtocolError when all is lost."""
        rule = choose(self._listener.rules, self._request)
        if rule is None:
            await self._answer(answers.error(500))
            return
        self._entry.rule_priority = _DEFAULT_RULE if rule.priority is None else rule.priority
        match rule.action:
            case Redirect():
                await self._redirect(rule.action)
            case FixedResponse():
                self._entry.actions = "fixed-response"
                await self._answer(answers.fixed(rule.action))
            case Forward():
                self._entry.actions = "forward"
                await self._forward(rule.action)

    async def _redirect(self, action: Redirect) -> None:
        listener = self._listener
        found = answers.redirect(action, self._request, listener.protocol, listener.port)
        self._entry.actions, self._entry.redirect_url = "redirect", found.location or "-"
        await self._answer(found)

    async def _forward(self, action: Forward) -> None:
        group, target = self._front.targets.pick(action)
        if group is not None:
            self._entry.target_group = group.arn
        if group is None or target is None:
            await self._answer(answers.error(503))
            return
        self._entry.target = f"{target.address}:{target.port}"
        try:
            await self._pass_to(group, target)
        except forwarding.TargetError as error:
            await self._answer(answers.error(error.status))

    async def _pass_to(self, group: TargetGroup, target: Target) -> None:
        wire = await self._connected(group, target)
        idle = idle_timeout(self._balancer, self._front.pace)
        try:
            await forwarding.relay(
                self._wire, wire, self._head, self._target_headers(), self._entry, idle
            )
        finally:
            wire.abort()

    async def _connected(self, group: TargetGroup, target: Target) -> Wire:
        source, patience = self._balancer.address, self._front.pace.connect_timeout
        encrypted = group.protocol == "HTTPS"
        try:
            return await connect(self._front.control, source, target, patience, encrypted=encrypted)
        except ConnectTimeoutError as error:
            raise forwarding.TargetError(504) from error
        except OSError as error:
            raise forwarding.TargetError(502) from error

    async def _answer(self, own: Answer) -> None:
        await answer(self._wire, own, self._entry, bodiless=self._head.method == b"HEAD")

    def _target_headers(self) -> forwarding.Headers:
        return forwarding.target_headers(
            self._head,
            client=self._request.source,
            protocol=self._listener.protocol.lower(),
            port=self._listener.port,
            trace=self._trace,
        )

    def _describe(self) -> None:
        entry, request, listener = self._entry, self._request, self._listener
        query = f"?{request.query}" if request.query else ""
        url = f"{listener.protocol.lower()}://{request.host}:{listener.port}{request.path}{query}"
        version = self._head.http_version.decode()
        entry.request_line = f"{request.method} {url} HTTP/{version}"
        entry.user_agent = next(iter(request.values("user-agent")), "-")
        entry.trace_id = self._trace


async def answer(wire: Wire, own: Answer, entry: Entry, *, bodiless: bool = False) -> None:
    """Send an answer of the load balancer's own; the request's body, if any, is read first."""
    entry.status = own.status
    await _discard_body(wire)
    headers = [(name.encode(), value.encode()) for name, value in own.headers()]
    wire.queue(h11.Response(status_code=own.status, reason=own.reason.encode(), headers=headers))
    if not bodiless:
        wire.queue(h11.Data(data=own.body))
    wire.queue(h11.EndOfMessage())
    await wire.flush()


def idle_timeout(balancer: LoadBalancer, pace: Pace) -> float:
    """Seconds after which a silent connection is given up."""
    return min(balancer.idle_timeout, pace.idle_timeout)


async def _discard_body(wire: Wire) -> None:
    """Closing with unread data would reset the connection before the client has read the answer."""
    deadline = time.monotonic() + _DISCARD_DEADLINE
    with contextlib.suppress(TimeoutError):
        while (
            wire.http.their_state is h11.SEND_BODY
            and not wire.http.they_are_waiting_for_100_continue
        ):
            await wire.event(max(0.0, deadline - time.monotonic()))


def _parsed(head: h11.Request, source: str) -> Request:
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
    )
    target = head.target.decode("latin-1")
    named = next((value for name, value in headers if name == "host"), "")
    if "://" in target.partition("?")[0]:  # absolute form, as a proxy's client sends it
        named, slash, rest = target.partition("://")[2].partition("/")
        target = slash + rest
    path, _, query = target.partition("?")
    return Request(
        method=head.method.decode(),
        host=named.partition(":")[0],
        path=path or "/",
        query=query,
        source=source,
        headers=headers,
    )


def _trace(request: Request) -> str:
    """A trace that came with the request gets a `Self` of ours, otherwise a new root is made."""
    made = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    given = next(iter(request.values("x-amzn-trace-id")), None)
    return f"Root={made}" if given is None else f"Self={made};{given}"
