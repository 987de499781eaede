"""The binary message, byte by byte, against what is public about it.

The layout of the vectors is that of the comment above ``AgentMessage.Deserialize`` in
aws/amazon-ssm-agent, agent/session/contracts/agentmessage.go. Their values (message id, date, and
the payload ``payload``) are those of the same project's agentmessage_test.go, and of
aws/session-manager-plugin, src/message/messageparser_test.go. The digests are sha256sum's.
"""

from __future__ import annotations

import contextlib
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ecs_exec import codec
from harness.ecs_exec.codec import AgentMessage, BadMessageError, decode, encode

ID = uuid.UUID("dd01e56b-ff48-483e-a508-b5f073f31b16")
CREATED = 1503434274948
DIGEST = "239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5"
NO_DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# Each line of a vector is one field: header length, type, schema version, date, number, flags,
# id (its second half first), digest, payload type, payload length, payload.
INPUT = f"""
    00000074
    696e7075745f73747265616d5f64617461202020202020202020202020202020
    00000001
    0000015e0baa7884
    0000000000000001
    0000000000000002
    a508b5f073f31b16 dd01e56bff48483e
    {DIGEST}
    00000001
    00000007
    7061796c6f6164
"""
EXIT_FLAG = """
    00000074
    696e7075745f73747265616d5f64617461202020202020202020202020202020
    00000001
    0000015e0baa7884
    00000000000000ff
    0000000000000000
    a508b5f073f31b16 dd01e56bff48483e
    433ebf5bc03dffa38536673207a21281612cef5faa9bc7a4d5b9be2fdb12cf1a
    0000000a
    00000004
    00000002
"""
START = f"""
    00000074
    73746172745f7075626c69636174696f6e202020202020202020202020202020
    00000001
    0000015e0baa7884
    0000000000000000
    0000000000000003
    a508b5f073f31b16 dd01e56bff48483e
    {NO_DIGEST}
    00000000
    00000000
"""
VECTORS = {
    "input": (INPUT, AgentMessage(codec.INPUT, b"payload", 1, 1, 2, ID, CREATED)),
    "terminate": (EXIT_FLAG, AgentMessage(codec.INPUT, b"\0\0\0\2", 10, 255, 0, ID, CREATED)),
    "start": (START, AgentMessage(codec.START, b"", 0, 0, 3, ID, CREATED)),
}


def wire(vector: str) -> bytes:
    return bytes.fromhex("".join(vector.split()))


@pytest.mark.parametrize("name", VECTORS)
def test_a_recorded_message_is_written_byte_by_byte(name: str) -> None:
    vector, message = VECTORS[name]
    assert encode(message).hex() == wire(vector).hex()


@pytest.mark.parametrize("name", VECTORS)
def test_a_recorded_message_is_read(name: str) -> None:
    vector, message = VECTORS[name]
    assert decode(wire(vector)) == message


def test_a_type_padded_with_nul_and_a_longer_header_are_read() -> None:
    plain = wire(INPUT)
    padded = plain[:4] + codec.INPUT.encode().ljust(32, b"\0") + plain[36:]
    longer = (0x78).to_bytes(4, "big") + padded[4:116] + b"more" + padded[116:]
    assert decode(longer) == VECTORS["input"][1]


def test_a_negative_number_is_read() -> None:
    message = AgentMessage(codec.OUTPUT, b"x", 1, -1)
    assert decode(encode(message)).sequence == -1


messages = st.builds(
    AgentMessage,
    type=st.text(st.characters(codec="ascii", categories=("L", "N", "Pc")), max_size=32),
    payload=st.binary(max_size=200),
    payload_type=st.integers(0, 2**32 - 1),
    sequence=st.integers(-(2**63), 2**63 - 1),
    flags=st.integers(0, 2**64 - 1),
    id=st.uuids(),
    created=st.integers(0, 2**64 - 1),
)


@settings(deadline=None)
@given(messages)
def test_what_is_written_is_read(message: AgentMessage) -> None:
    assert decode(encode(message)) == message


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(BadMessageError):
        assert len(decode(data).payload) < len(data)


@settings(deadline=None)
@given(messages, st.data())
def test_a_changed_payload_is_never_read(message: AgentMessage, data: st.DataObject) -> None:
    whole = bytearray(encode(message))
    if not message.payload:
        return
    place = data.draw(st.integers(120, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadMessageError, match="digest"):
        decode(bytes(whole))


@settings(deadline=None)
@given(messages, st.integers(1, 600))
def test_a_truncated_message_is_never_read(message: AgentMessage, cut: int) -> None:
    whole = encode(message)
    with pytest.raises(BadMessageError):
        decode(whole[: max(0, len(whole) - cut)])
