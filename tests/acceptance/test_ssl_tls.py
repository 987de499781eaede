"""HTTP to HTTPS: the redirect, the certificate, and what an ordinary client makes of both."""

from __future__ import annotations

import time
from urllib.parse import urljoin, urlsplit

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation, TlsObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import ClientProbe, HttpProbe

FAILURE = "ssl-tls"
DAY = 86_400
PATH = "/openapi.json"


def _host(environment: Environment) -> str:
    return urlsplit(environment.registry.url).hostname or ""


@probe
def plain_http(environment: Environment) -> HttpProbe:
    """The registry over plain HTTP; the redirect is looked at, not followed."""
    return HttpProbe(url=f"http://{_host(environment)}{PATH}", deadline=environment.limits.deadline)


@probe
def ordinary_client(environment: Environment) -> ClientProbe:
    """The registry over plain HTTP, by a client that follows redirects."""
    return ClientProbe(
        url=f"http://{_host(environment)}{PATH}", deadline=environment.limits.deadline
    )


@pytest.mark.p3
@symptom(FAILURE)
def test_http_is_redirected_to_https_at_the_same_name(
    plain_http: HttpObservation, environment: Environment
) -> None:
    """Plain HTTP leads to the same host over HTTPS, whose certificate fits."""
    expect.status(plain_http, 301, 302, 307, 308)
    target = urlsplit(urljoin(plain_http.url, plain_http.headers.get("location", "")))
    wanted = ("https", _host(environment))
    assert (target.scheme, target.hostname) == wanted, (
        f"redirected to {target.scheme}://{target.hostname}: {evidence(plain_http)}"
    )


@pytest.mark.p3
@symptom(FAILURE, "verify-error-on-redirect")
def test_an_ordinary_client_follows_the_redirect(ordinary_client: HttpObservation) -> None:
    """A client that starts with http:// ends with an answer, not with a certificate error."""
    expect.status(ordinary_client, 200)


@pytest.mark.p1
@symptom(FAILURE, "verify-error-on-redirect")
def test_the_certificate_is_trusted(handshake: TlsObservation) -> None:
    """The registry's certificate chain is complete, in date, and for its name."""
    expect.answered(handshake)


@pytest.mark.p2
@symptom(FAILURE)
def test_the_certificate_is_not_about_to_expire(
    handshake: TlsObservation, environment: Environment
) -> None:
    """There is time left to renew the certificate before clients are turned away."""
    assert handshake.chain, f"no certificate was seen: {evidence(handshake)}"
    days = (handshake.chain[0].not_after - time.time()) / DAY
    assert days >= environment.tls.min_days_left, f"{days:.0f} days left: {evidence(handshake)}"
