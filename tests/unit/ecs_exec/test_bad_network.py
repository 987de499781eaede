"""A network that loses, repeats, delays, reorders and damages messages, without any network.

The client's channel and a model of the agent's talk over links that do with each message what
hypothesis says, on a clock that is only counted. The answer arrives whole, or is an error.
"""

from __future__ import annotations

import base64
import contextlib
import heapq
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.ecs_exec import codec
from harness.ecs_exec.channel import Channel, Closed, Event, Printed
from harness.ecs_exec.codec import AgentMessage, BadMessageError, Payload
from harness.ecs_exec.errors import ConnectionLostError, CorruptAnswerError
from harness.ecs_exec.framing import Answer, Frame

EXAMPLES = int(os.environ.get("ECS_EXEC_FUZZ", "150"))
DEADLINE, TICK, AGAIN = 60.0, 0.05, 0.5

fates = st.sampled_from(["pass"] * 8 + ["drop", "twice", "late", "flip", "cut", "junk"])


@dataclass
class Link:
    """One direction: what arrives when, after what happens to it on the way."""

    fates: Iterator[str]
    arriving: list[tuple[float, int, bytes]] = field(default_factory=list)
    count: int = 0

    def send(self, now: float, data: bytes) -> None:
        for delay, changed in mangled(next(self.fates), data):
            self.count += 1
            heapq.heappush(self.arriving, (now + delay, self.count, changed))

    def arrived(self, now: float) -> Iterator[bytes]:
        while self.arriving and self.arriving[0][0] <= now:
            yield heapq.heappop(self.arriving)[2]


def mangled(fate: str, data: bytes) -> list[tuple[float, bytes]]:
    at = sum(data[:200]) % len(data)
    flipped = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    return {
        "pass": [(0.0, data)],
        "drop": [],
        "twice": [(0.0, data), (0.3, data)],
        "late": [(0.4, data)],
        "flip": [(0.0, flipped)],
        "cut": [(0.0, data[:at])],
        "junk": [(0.0, os.urandom(40)), (0.0, data)],
    }[fate]


class Agent:
    """The other end: it says its lines until they are acknowledged, and takes what is typed."""

    def __init__(self, lines: list[tuple[int, bytes]]) -> None:
        self.unacknowledged = {
            number: codec.encode(AgentMessage(codec.OUTPUT, payload, kind, number))
            for number, (kind, payload) in enumerate(lines)
        }
        self.said: dict[int, float] = {}
        self.typed: dict[int, AgentMessage] = {}

    def speak(self, now: float) -> Iterator[bytes]:
        for number, data in list(self.unacknowledged.items())[:20]:
            if now - self.said.get(number, -AGAIN) >= AGAIN:
                self.said[number] = now
                yield data

    def hear(self, data: bytes) -> Iterator[bytes]:
        try:
            message = codec.decode(data)
        except BadMessageError:
            return
        if message.type == codec.ACKNOWLEDGE:
            number = json.loads(message.payload)["AcknowledgedMessageSequenceNumber"]
            self.unacknowledged.pop(number, None)
        elif message.type == codec.INPUT:
            self.typed[message.sequence] = message
            content = {"AcknowledgedMessageSequenceNumber": message.sequence}
            yield codec.encode(AgentMessage(codec.ACKNOWLEDGE, json.dumps(content).encode()))


def mark_of(frame: Frame) -> str:
    found = re.search(r"m=([0-9a-f]{32})", frame.command)
    assert found
    return found[1]


def terminal(frame: Frame, answer: Answer) -> bytes:
    """What a terminal shows while the frame's script runs."""
    mark = mark_of(frame)
    out = base64.encodebytes(answer.stdout).decode()
    err = base64.encodebytes(answer.stderr).decode()
    shown = f"noise\n{mark} out\n{out}{mark} status {answer.status}\n{mark} err\n{err}{mark} end\n"
    return shown.replace("\n", "\r\n").encode()


def lines_of(shown: bytes, size: int) -> list[tuple[int, bytes]]:
    request = {"RequestedClientActions": [{"ActionType": "SessionType"}]}
    pieces = [shown[begin : begin + size] for begin in range(0, len(shown), size)]
    return [
        (Payload.HANDSHAKE_REQUEST, json.dumps(request).encode()),
        (Payload.HANDSHAKE_COMPLETE, b"{}"),
        *((Payload.TEXT, piece) for piece in pieces),
    ]


def talk(frame: Frame, agent: Agent, down: Link, up: Link) -> Answer | None:
    """Let both talk until the answer is whole, or the (counted) time is over."""
    now = 0.0
    channel = Channel(lambda: now)
    while now < DEADLINE and not frame.complete():
        for data in agent.speak(now):
            down.send(now, data)
        for data in down.arrived(now):
            for event in channel.receive(data):
                take(frame, event)
        for data in channel.outgoing():
            up.send(now, data)
        for data in up.arrived(now):
            for reply in agent.hear(data):
                down.send(now, reply)
        now += TICK
    return frame.answer() if frame.complete() else None


def take(frame: Frame, event: Event) -> None:
    if isinstance(event, Printed):
        frame.take(event.data)
    elif isinstance(event, Closed):
        raise ConnectionLostError(event.reason)


def cycle(chosen: list[str]) -> Iterator[str]:
    while True:
        yield from chosen
        yield "pass"


answers = st.builds(Answer, st.integers(0, 255), st.binary(max_size=2000), st.binary(max_size=300))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    answers,
    st.integers(1, 400),
    st.lists(fates, max_size=60),
    st.lists(fates, max_size=60),
)
def test_the_answer_is_right_or_an_error(
    answer: Answer, size: int, down: list[str], up: list[str]
) -> None:
    frame = Frame("x", None, 1 << 20)
    agent = Agent(lines_of(terminal(frame, answer), max(size, 20)))
    got = None
    with contextlib.suppress(CorruptAnswerError, ConnectionLostError):
        got = talk(frame, agent, Link(cycle(down)), Link(cycle(up)))
    assert got in (None, answer)


@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers, st.lists(st.sampled_from(["pass", "drop", "twice", "late", "flip"]), max_size=30))
def test_a_network_that_is_bad_at_times_only_delays(answer: Answer, chosen: list[str]) -> None:
    frame = Frame("x", None, 1 << 20)
    agent = Agent(lines_of(terminal(frame, answer), 300))
    # One message in two gets through at the least, so everything does, after some attempts.
    fates_ = [fate for each in chosen for fate in (each, "pass", "pass")]
    assert talk(frame, agent, Link(cycle(fates_)), Link(cycle([]))) == answer


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.lists(st.sampled_from(["pass", "drop", "twice", "late"]), max_size=20), st.binary())
def test_what_is_typed_arrives_once_and_in_order(chosen: list[str], typed: bytes) -> None:
    now = 0.0
    channel, agent = Channel(lambda: now), Agent(lines_of(b"", 1)[:2])
    up, down = Link(cycle(chosen)), Link(cycle([]))
    channel.type(typed * 40)
    while now < DEADLINE and (now < 1 or channel.wait() is not None):
        for data in [*agent.speak(now), *(r for d in up.arrived(now) for r in agent.hear(d))]:
            down.send(now, data)
        for data in down.arrived(now):
            list(channel.receive(data))
        for data in channel.outgoing():
            up.send(now, data)
        now += TICK
    texts = [m.payload for _, m in sorted(agent.typed.items()) if m.payload_type == Payload.TEXT]
    assert b"".join(texts) == typed * 40


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_terminal_that_shows_anything_gives_no_answer(shown: bytes) -> None:
    frame = Frame("x", None, 1 << 20)
    frame.take(shown)
    assert not frame.complete()


@settings(deadline=None)
@given(answers, st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_noise_within_the_answer_is_never_taken_for_it(
    answer: Answer, place: int, noise: bytes
) -> None:
    frame = Frame("x", None, 1 << 20)
    shown = terminal(frame, answer)
    begin = shown.index(b" out\r\n") + 6
    at = begin + place % (len(shown) - begin)
    frame.take(shown[:at] + b"\0" + noise + shown[at:])
    try:
        got = frame.answer() if frame.complete() else None
    except CorruptAnswerError:
        return
    assert got in (None, answer)
