"""What the load balancer answers by itself: errors, redirects, fixed responses."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from lab.edge.matching import Request
from lab.edge.model import FixedResponse, Redirect

SERVER = "awselb/2.0"
# AWS has its own words for two of them.
_WORDS = {503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response of the load balancer's own."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return reason(self.status)

    def headers(self) -> list[tuple[str, str]]:
        """All headers, the server's name among them: it tells who wrote an error."""
        found = [
            ("Server", SERVER),
            ("Date", formatdate(usegmt=True)),
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
        ]
        return [*found, ("Location", self.location)] if self.location else found


def reason(status: int) -> str:
    """The reason phrase that AWS gives to a status."""
    try:
        return _WORDS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return ""


def error(status: int) -> Answer:
    """The HTML page of an error that the load balancer itself reports (400, 502, 503, 504, …)."""
    return Answer(status, "text/html", _page(status))


def fixed(action: FixedResponse) -> Answer:
    """A `fixed-response` action; AWS adds the character set."""
    content_type = f"{action.content_type}; charset=utf-8"
    return Answer(action.status_code, content_type, action.body.encode())


def redirect(action: Redirect, request: Request, protocol: str, port: int) -> Answer:
    """A `redirect` action; AWS spells the port out even when it is the protocol's own."""
    known = {
        "#{protocol}": protocol,
        "#{host}": request.host,
        "#{port}": str(port),
        "#{path}": request.path.removeprefix("/"),
        "#{query}": request.query,
    }
    scheme = _filled(action.protocol, known).lower()
    query = _filled(action.query, known)
    location = (
        f"{scheme}://{_filled(action.host, known)}:{_filled(action.port, known)}"
        f"{_filled(action.path, known)}{'?' if query else ''}{query}"
    )
    return Answer(action.status_code, "text/html", _page(action.status_code), location)


def _filled(template: str, known: dict[str, str]) -> str:
    for placeholder, value in known.items():
        template = template.replace(placeholder, value)
    return template


def _page(status: int) -> bytes:
    title = f"{status} {reason(status)}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    ).encode()
