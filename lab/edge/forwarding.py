"""A request passed on to a target, and the target's answer passed back, both as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import h11

from lab.edge.access_log import Entry
from lab.edge.wire import Wire

_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")
)
_FORWARDED = frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port", b"x-amzn-trace-id", b"expect")
)
_CHUNKED = (b"Transfer-Encoding", b"chunked")
Headers = list[tuple[bytes, bytes]]


class TargetError(Exception):
    """The target gave no answer that can be passed on; `status` is what the client gets."""

    def __init__(self, status: int) -> None:
        """502 or 504."""
        super().__init__(status)
        self.status = status


def target_headers(
    request: h11.Request, client: str, protocol: str, port: int, trace: str
) -> Headers:
    """The client's headers, Host among them, and what an application load balancer adds."""
    kept = _without(request.headers.raw_items(), _HOP_BY_HOP | _FORWARDED)
    came_by = [v for name, v in request.headers if name == b"x-forwarded-for"]
    added: Headers = [
        (b"X-Forwarded-For", b", ".join([*came_by, client.encode()])),
        (b"X-Forwarded-Proto", protocol.encode()),
        (b"X-Forwarded-Port", str(port).encode()),
        (b"X-Amzn-Trace-Id", trace.encode()),
    ]
    chunked = any(name == b"transfer-encoding" for name, _ in request.headers)
    return [*kept, *added, *([_CHUNKED] if chunked else [])]


async def relay(
    client: Wire, target: Wire, request: h11.Request, headers: Headers, entry: Entry, idle: float
) -> None:
    """Pass one exchange through, never holding more than a chunk of either body.

    Raises TargetError as long as nothing of the answer was passed on; after that a broken target
    can only be shown by dropping the client's connection.
    """
    target.queue(h11.Request(method=request.method, target=request.target, headers=headers))
    entry.dispatched = time.monotonic()
    upload = _upload(client, target, idle)
    try:
        head = await _head(target, idle, upload)
        entry.answered, entry.target_status = time.monotonic(), head.status_code
        entry.status = head.status_code
        client.queue(
            h11.Response(
                status_code=head.status_code,
                reason=head.reason,
                headers=_without(head.headers.raw_items(), _HOP_BY_HOP),
            )
        )
        await _pass_body(target, client, idle)
    finally:
        if upload is not None:
            upload.cancel()
            await asyncio.gather(upload, return_exceptions=True)


def _upload(client: Wire, target: Wire, idle: float) -> asyncio.Task[None] | None:
    """Pass the request's body on beside everything else; most requests have none, and end here."""
    if not client.http.they_are_waiting_for_100_continue:
        event = client.http.next_event()
        if isinstance(event, h11.Data | h11.EndOfMessage):
            target.queue(_bare(event))
        if isinstance(event, h11.EndOfMessage):
            return None
    return asyncio.create_task(_pass_request(client, target, idle))


async def _pass_request(client: Wire, target: Wire, idle: float) -> None:
    """Errors end here: the target's answer, or its absence, tells of them."""
    while True:
        await target.flush()
        event = await client.event(idle)
        if not isinstance(event, h11.Data | h11.EndOfMessage):
            return
        target.queue(_bare(event))
        if isinstance(event, h11.EndOfMessage):
            await target.flush()
            return


async def _head(target: Wire, idle: float, upload: asyncio.Task[None] | None) -> h11.Response:
    """The final response's head; silence counts only when no body is going up."""
    while True:
        try:
            event = await target.event(idle)
        except TimeoutError as error:
            if upload is None or upload.done():
                raise TargetError(504) from error
            continue
        except (OSError, h11.RemoteProtocolError) as error:
            raise TargetError(502) from error
        if isinstance(event, h11.Response):
            return event
        if isinstance(event, h11.ConnectionClosed):
            raise TargetError(502)


async def _pass_body(target: Wire, client: Wire, idle: float) -> None:
    while True:
        event = target.http.next_event()
        if event is h11.NEED_DATA:
            await client.flush()
            await target.fill(idle)
        elif isinstance(event, h11.Data | h11.EndOfMessage):
            client.queue(_bare(event))
            if isinstance(event, h11.EndOfMessage):
                await client.flush()
                return
        else:
            raise h11.RemoteProtocolError("the target closed in the middle of its answer")


def _bare(event: h11.Data | h11.EndOfMessage) -> h11.Data | h11.EndOfMessage:
    """Chunk boundaries and trailers belong to one hop."""
    return h11.Data(data=event.data) if isinstance(event, h11.Data) else h11.EndOfMessage()


def _without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]
