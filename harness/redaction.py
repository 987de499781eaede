"""The one redactor: nothing that leaves the process carries a secret.

It knows the secrets of this run, in every spelling that an output could give them, and the
shapes that secrets of this platform have.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, overload
from urllib.parse import quote, quote_plus

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")

MASK = "[redacted]"
MIN_LENGTH = 6
SECRET_VARIABLES = (
    "HOKUSAI_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "DB_PASSWORD",
    "DATABASE_PASSWORD",
    "PGPASSWORD",
)

_SHAPES = re.compile(
    r"\bhk_(?:live|test|dev)_[A-Za-z0-9_\-]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?<=://)(?P<user>[^\s:/@]+):[^\s@/]+(?=@)"
    r"|(?i:(?<=bearer )|(?<=apikey ))[A-Za-z0-9._~+/=\-]{8,}"
)
# All of the above and more, wherever in a JSON text: what has none of it has none of them.
_SUSPECT = re.compile(
    r"hk_(?:live|test|dev)_|A[KS]IA[A-Z0-9]{16}|://[^\s:/@]+:[^\s@/]+@|(?i:bearer |apikey )"
)
# What JSON writes as it is.
_PLAIN = re.compile(r"[ !#-\[\]-~]+")
_ESCAPE = re.compile("%[0-9A-F]{2}")


class Redactor:
    """Replaces known secrets, in all their spellings, and anything shaped like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = sorted({s for s in secrets if len(s) >= MIN_LENGTH}, key=len, reverse=True)
        needles = sorted(
            {spelling for secret in kept for spelling in _spellings(secret)}, key=len, reverse=True
        )
        self._known = re.compile("|".join(map(re.escape, needles))) if needles else None
        self._all_plain = all(_PLAIN.fullmatch(secret) for secret in kept)

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Redactor:
        """A redactor for the secrets among these environment variables."""
        return cls(variables[name] for name in SECRET_VARIABLES if variables.get(name))

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SHAPES.sub(_mask_shape, text)

    @overload
    def clean(self, value: T) -> T: ...
    @overload
    def clean(self, value: str) -> str: ...
    @overload
    def clean(self, value: dict[str, V]) -> dict[str, V]: ...
    def clean(self, value: Any) -> Any:
        """Return a struct, mapping, sequence or text with every string in it redacted."""
        if self._all_plain and self._is_clean(value):
            return value
        if isinstance(value, msgspec.Struct):
            return msgspec.convert(self._walk(msgspec.to_builtins(value)), type(value))
        return self._walk(value)

    def _is_clean(self, value: Any) -> bool:
        """Whether there is certainly no secret: told from JSON much faster than by walking."""
        try:
            document = msgspec.json.encode(value).decode()
        except (TypeError, UnicodeError):
            return False
        if self._known is not None and self._known.search(document):
            return False
        return _SUSPECT.search(document) is None

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._walk(k): self._walk(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._walk(v) for v in value]
        return value


def _mask_shape(match: re.Match[str]) -> str:
    user = match.group("user")
    return f"{user}:{MASK}" if user else MASK


@lru_cache(maxsize=64)
def _spellings(secret: str) -> frozenset[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    padded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    return frozenset(
        {
            secret,
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
            html.escape(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
            *(coded.decode().rstrip("=") for coded in padded),
            *_within_base64(raw),
            _ESCAPE.sub(lambda escape: escape[0].lower(), quote(secret, safe="")),
        }
    )


def _within_base64(raw: bytes) -> Iterator[str]:
    """Yield what ``raw`` comes to inside longer base64 (a basic credential), wherever it begins."""
    for shift in range(3):
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        padded = bytes(shift) + raw
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode()[first:last]
