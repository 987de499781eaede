"""What goes back to an AWS client: results and errors, in the protocol that the call came in."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from lab.aws.call import Call

_JSON = "application/x-amz-json-1.1"
_XML = "text/xml"
_CBOR = "application/cbor"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to an AWS call."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class AwsError(Exception):
    """A refusal that a handler raises: AWS's error code, its message, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """`code` as AWS spells it, for example `ServiceNotFoundException`."""
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def result(document: dict[str, Any]) -> Answer:
    """The successful answer of a JSON service; times are epoch seconds."""
    return Answer(200, json.dumps(document).encode(), _headers(_JSON))


def refusal(call: Call, error: AwsError) -> Answer:
    """The error as the call's protocol words it."""
    if call.protocol in ("query", "ec2", "rest"):
        return Answer(error.status, _xml(call, error).encode(), _headers(_XML))
    fields = {"__type": error.code, "message": error.message}
    if call.protocol == "cbor":
        headers = _headers(_CBOR) | {"smithy-protocol": "rpc-v2-cbor"}
        return Answer(error.status, _cbor(fields), headers)
    return Answer(error.status, json.dumps(fields).encode(), _headers(_JSON))


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": str(uuid.uuid4())}


def _xml(call: Call, error: AwsError) -> str:
    request = uuid.uuid4()
    one = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if call.protocol == "ec2":
        errors = f"<Errors><Error>{one}</Error></Errors>"
        return f"<Response>{errors}<RequestID>{request}</RequestID></Response>"
    if call.protocol == "rest":
        return f"<Error>{one}<RequestId>{request}</RequestId></Error>"
    side = "Sender" if error.status < 500 else "Receiver"
    detail = f"<Error><Type>{side}</Type>{one}</Error>"
    return f"<ErrorResponse>{detail}<RequestId>{request}</RequestId></ErrorResponse>"


def _cbor(fields: dict[str, str]) -> bytes:
    """A CBOR map of text strings (RFC 8949): all that an error needs."""
    encoded = bytes([0xA0 | len(fields)])
    for pair in fields.items():
        for text in pair:
            data = text.encode()
            encoded += b"\x79" + len(data).to_bytes(2, "big") + data
    return encoded
