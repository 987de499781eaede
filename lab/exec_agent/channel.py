"""A data channel: messages in order, each acknowledged, sent again until it is.

Times and rules are those of amazon-ssm-agent (agent/session/datachannel, agent/session/config).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.exec_agent import wire
from lab.exec_agent.wire import Kind, Message

FIRST_TIMEOUT_S, LONGEST_TIMEOUT_S = 0.2, 1.0
LOOK_EVERY_S = 0.1
# The agent keeps up to 100,000 messages of 1 KiB; here output waits in the terminal instead.
UNACKNOWLEDGED_AT_MOST = 4096
OUT_OF_ORDER_AT_MOST = 1024
_CLOCK_S = 0.01

Send = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True)
class _Sent:
    data: bytes
    at: float
    again: int = 0


class Channel:
    """The agent's end. Its methods belong to one event loop."""

    def __init__(self, send: Send) -> None:
        """`send` puts one binary message on the wire."""
        self._send = send
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._early: dict[int, Message] = {}
        self._next_out = self._next_in = 0
        self._timeout = FIRST_TIMEOUT_S
        self._round_trip, self._variation = FIRST_TIMEOUT_S / 2, 0.0
        self._publish, self._room, self._done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for event in (self._publish, self._room, self._done):
            event.set()

    async def put(self, kind: Kind, payload: bytes) -> None:
        """Send a payload as the next of the stream; waits while paused or too much is on its way.

        Nothing is sent for an empty payload.
        """
        if not payload:
            return
        await self._publish.wait()
        await self._room.wait()
        number, self._next_out = self._next_out, self._next_out + 1
        flags = wire.SYN if number == 0 else 0
        data = Message(wire.OUTPUT, payload, kind, number, flags).pack()
        self._sent[number] = _Sent(data, time.monotonic())
        self._note_room()
        await self._send(data)

    async def take(self, message: Message) -> list[tuple[int, bytes]]:
        """Handle what the client sent; returns the payloads that are next in order, if any."""
        if message.type == wire.ACKNOWLEDGE:
            self._acknowledged(message.payload)
        elif message.type == wire.PAUSE:
            self._publish.clear()
        elif message.type == wire.START:
            self._publish.set()
        elif message.type == wire.INPUT:
            self._publish.set()
            return await self._input(message)
        return []

    async def close(self, session: str, output: str, destination: str) -> None:
        """Tell the client that the session is over, and why."""
        message = Message(wire.CLOSED, b"")
        content = {
            "MessageType": wire.CLOSED,
            "MessageId": str(message.id),
            "DestinationId": destination,
            "SessionId": session,
            "SchemaVersion": wire.SCHEMA_VERSION,
            "CreatedDate": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "Output": output,
        }
        await self._send(Message(wire.CLOSED, json.dumps(content).encode(), id=message.id).pack())

    async def settle(self, within: float) -> None:
        """Wait until everything is acknowledged, or nothing has been for `within` seconds."""
        before = -1
        while len(self._sent) != before:
            before = len(self._sent)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), within)

    async def keep_sending(self) -> None:
        """Send the oldest message again until it is acknowledged; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            oldest = next(iter(self._sent.values()), None)
            if oldest is None or not self._publish.is_set():
                continue
            patience = min(self._timeout * 2**oldest.again, LONGEST_TIMEOUT_S)
            if time.monotonic() - oldest.at > patience:
                oldest.at, oldest.again = time.monotonic(), oldest.again + 1
                await self._send(oldest.data)

    async def _input(self, message: Message) -> list[tuple[int, bytes]]:
        if message.sequence < self._next_in:
            return []  # The agent says nothing to what it has had before.
        if message.sequence > self._next_in:
            if len(self._early) < OUT_OF_ORDER_AT_MOST:
                self._early[message.sequence] = message
                await self._acknowledge(message)
            return []
        await self._acknowledge(message)
        self._early[message.sequence] = message
        found = []
        while (following := self._early.pop(self._next_in, None)) is not None:
            self._next_in += 1
            found.append((following.kind, following.payload))
        return found

    async def _acknowledge(self, message: Message) -> None:
        content = {
            "AcknowledgedMessageType": message.type,
            "AcknowledgedMessageId": str(message.id),
            "AcknowledgedMessageSequenceNumber": message.sequence,
            "IsSequentialMessage": True,
        }
        await self._send(Message(wire.ACKNOWLEDGE, json.dumps(content).encode()).pack())

    def _acknowledged(self, payload: bytes) -> None:
        self._publish.set()
        try:
            number = json.loads(payload)["AcknowledgedMessageSequenceNumber"]
            sent = self._sent.pop(number, None)
        except (ValueError, KeyError, TypeError):
            return
        if sent is not None and not sent.again:
            self._measure(time.monotonic() - sent.at)
        self._note_room()

    def _measure(self, took: float) -> None:
        self._variation += (abs(self._round_trip - took) - self._variation) / 4
        self._round_trip += (took - self._round_trip) / 8
        self._timeout = self._round_trip + max(_CLOCK_S, 4 * self._variation)

    def _note_room(self) -> None:
        for event, holds in (
            (self._room, len(self._sent) < UNACKNOWLEDGED_AT_MOST),
            (self._done, not self._sent),
        ):
            if holds:
                event.set()
            else:
                event.clear()
