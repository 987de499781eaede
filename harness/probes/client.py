"""What an ordinary client sees: the requests library, redirects followed, certificates verified."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from harness.observation import Failure, FailureKind, Hop, HttpObservation
from harness.probes.network import Reach, is_link_local
from harness.specs import ClientProbe

MAX_REDIRECTS = 5


class _MappedAdapter(HTTPAdapter):
    """Sends a request where ``connect_to`` says, under its own host name in every layer."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        attributes: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host_params, pool = attributes
        host = host_params["host"]
        port = host_params["port"] or (443 if host_params["scheme"] == "https" else 80)
        if mapped := self._reach.mapped(host, port):
            host_params |= {"host": mapped.host, "port": mapped.port}
            if host_params["scheme"] == "https":
                pool |= {"server_hostname": host, "assert_hostname": host}
        return host_params, pool

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url)
        if is_link_local(parts.hostname or ""):
            raise requests.exceptions.InvalidURL("a link-local address")
        request.headers["Host"] = parts.netloc
        return super().send(request, *args, **kwargs)


def observe(probe: ClientProbe, reach: Reach) -> HttpObservation:
    """Make the request in this thread; the caller bounds it by the probe's deadline as well."""
    hops: list[Hop] = []
    with requests.Session() as session:
        # A user's proxy and CA variables would silently change what is tested.
        session.trust_env = False
        session.max_redirects = MAX_REDIRECTS
        session.verify = reach.ca_bundle or True
        session.mount("http://", _MappedAdapter(reach))
        session.mount("https://", _MappedAdapter(reach))
        session.hooks["response"].append(lambda answer, **_: _note_hop(hops, answer))
        try:
            with session.request(
                probe.method, probe.url, timeout=probe.deadline, stream=True
            ) as answer:
                return _observation(probe, answer, hops)
        except requests.RequestException as error:
            return _failed(probe, error, hops)


def _note_hop(hops: list[Hop], answer: requests.Response) -> None:
    if answer.is_redirect:
        location = answer.headers["location"]
        hops.append(Hop(url=str(answer.url), status=answer.status_code, location=location))


def _observation(probe: ClientProbe, answer: requests.Response, hops: list[Hop]) -> HttpObservation:
    body = next(answer.iter_content(probe.max_bytes), b"")
    return HttpObservation(
        method=probe.method,
        url=probe.url,
        status=answer.status_code,
        headers={name.lower(): value for name, value in answer.headers.items()},
        body=body.decode("utf-8", "replace"),
        body_bytes=len(body),
        hops=tuple(hops),
    )


def _failed(
    probe: ClientProbe, error: requests.RequestException, hops: list[Hop]
) -> HttpObservation:
    where = hops[-1].location if hops else probe.url
    kind, reason = _kind(error)
    failure = Failure(kind=kind, message=f"{_site(where)}: {reason}")
    return HttpObservation(method=probe.method, url=probe.url, hops=tuple(hops), failure=failure)


def _kind(error: requests.RequestException) -> tuple[FailureKind, str]:
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
            return FailureKind.TLS_VERIFY, _reason(text)
        return FailureKind.TLS_HANDSHAKE, _reason(text)
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return FailureKind.REDIRECT_REFUSED, f"more than {MAX_REDIRECTS} redirects"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return FailureKind.CONNECT_TIMEOUT, "no connection in time"
    if isinstance(error, requests.exceptions.Timeout):
        return FailureKind.READ_TIMEOUT, "no answer in time"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return FailureKind.REDIRECT_REFUSED, "redirected to an address that is refused"
    return _connection_kind(error, text)


def _connection_kind(error: BaseException, text: str) -> tuple[FailureKind, str]:
    if "Connection refused" in text:
        return FailureKind.CONNECT_REFUSED, "connection refused"
    if "NameResolutionError" in text or isinstance(error.__context__, socket.gaierror):
        return FailureKind.DNS_NXDOMAIN, "the name does not resolve"
    return FailureKind.READ_RESET, type(error).__name__


def _reason(text: str) -> str:
    start = text.rfind("certificate verify failed: ")
    if start >= 0:
        return text[start:].split(" (_ssl", 1)[0].rstrip("')")
    start = text.find("hostname '")
    return text[start:].rstrip("')\"") if start >= 0 else "TLS error"


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
