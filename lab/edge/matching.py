"""Which rule of a listener answers a request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl

from lab.edge.model import (
    Condition,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryString,
    Rule,
    SourceIp,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What rules and redirects look at. `host` has no port; header names are in lower case."""

    method: str
    host: str
    path: str
    query: str
    source: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Every value of one header."""
        return [value for header, value in self.headers if header == name.lower()]


def choose(rules: Sequence[Rule], request: Request) -> Rule | None:
    """The first rule whose conditions all hold; None only for a listener without a default rule."""
    return next(
        (rule for rule in rules if all(holds(each, request) for each in rule.conditions)), None
    )


def holds(condition: Condition, request: Request) -> bool:
    """Whether one condition is met."""
    match condition:
        case PathPattern(values):
            return any(_like(pattern, request.path, any_case=False) for pattern in values)
        case HostHeader(values):
            return any(_like(pattern, request.host) for pattern in values)
        case HttpHeader(name, values):
            seen = request.values(name)
            return any(_like(pattern, value) for pattern in values for value in seen)
        case HttpRequestMethod(values):
            return request.method in values
        case QueryString(values):
            return any(_in_query(key, value, request.query) for key, value in values)
        case SourceIp(values):
            source = ipaddress.ip_address(request.source)
            return any(source in ipaddress.ip_network(cidr, strict=False) for cidr in values)


def _in_query(key: str | None, value: str, query: str) -> bool:
    pairs = parse_qsl(query, keep_blank_values=True)
    return any((key is None or _like(key, k)) and _like(value, v) for k, v in pairs)


def _like(pattern: str, text: str, *, any_case: bool = True) -> bool:
    return _compiled(pattern, any_case).fullmatch(text) is not None


@cache
def _compiled(pattern: str, any_case: bool) -> re.Pattern[str]:
    """`*` is any text and `?` one character; a backslash takes away the meaning of the next one."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if any_case else 0))
