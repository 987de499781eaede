"""One AWS API call, as the lab's hooks see it, whatever protocol it came in."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

Protocol = Literal["json", "query", "ec2", "cbor", "rest"]

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"^/service/[^/]+/operation/(\w+)$")
_READS = ("Describe", "List", "Get", "Discover", "Head", "Lookup", "Filter", "Search")
_MAX_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """Who asked which operation of which service, with which parameters.

    `service` is the signing name (`ecs`, `elasticloadbalancing`, …). `parameters` are a nested
    mapping for JSON services, a flat one (`Filter.1.Name`) for query services, and empty where
    the protocol is neither.
    """

    service: str
    operation: str
    region: str
    access_key: str
    protocol: Protocol
    parameters: dict[str, Any] = field(default_factory=dict)
    received: float = field(default_factory=time.time)

    @property
    def reads(self) -> bool:
        """Whether the operation, by its name, changes nothing."""
        return self.operation.startswith(_READS)


def parse(environ: dict[str, Any]) -> Call:
    """Read a call from a WSGI environment; the body can be read again afterwards."""
    signed = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = signed.groups() if signed else ("", "", "")
    protocol, operation, parameters = _operation(environ, service)
    return Call(service, operation, region, access_key, protocol, parameters)


def _operation(environ: dict[str, Any], service: str) -> tuple[Protocol, str, dict[str, Any]]:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return "json", target.rpartition(".")[2], _json(_body(environ))
    cbor = _CBOR_PATH.match(environ.get("PATH_INFO", ""))
    if cbor:
        return "cbor", cbor[1], {}
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(_body(environ).decode("utf-8", "replace"), keep_blank_values=True))
        return "ec2" if service == "ec2" else "query", form.get("Action", ""), form
    return "rest", f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}", {}


def _body(environ: dict[str, Any]) -> bytes:
    length = min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_BODY)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
