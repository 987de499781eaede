"""The ordinary client: requests, with redirects and verification, where ``connect_to`` says."""

from __future__ import annotations

import pytest

from harness.observation import FailureKind, HttpObservation
from harness.probes import client
from harness.specs import ClientProbe
from tests.unit.harness import servers
from tests.unit.harness.conftest import ReachFor, TlsFor

NAME = "registry.example"


def follow(
    reach_for: ReachFor, tls_for: TlsFor, certificate: str, location: str
) -> HttpObservation:
    secured = servers.answering(servers.http_answer("200 OK", b"secure"))
    away = servers.http_answer("301 Moved Permanently", b"", f"Location: {location}")
    with (
        servers.serving(secured, tls_for(certificate)) as https,
        servers.serving(servers.answering(away)) as http,
    ):
        reach = reach_for(
            f"{NAME}:80:127.0.0.1:{http}",
            f"{NAME}:443:127.0.0.1:{https}",
            f"balancer.example:443:127.0.0.1:{https}",
        )
        return client.observe(ClientProbe(url=f"http://{NAME}/x", deadline=3), reach)


def test_a_redirect_to_the_same_name_over_https_ends_with_an_answer(
    reach_for: ReachFor, tls_for: TlsFor
) -> None:
    seen = follow(reach_for, tls_for, NAME, f"https://{NAME}/x")
    assert (seen.status, seen.body) == (200, "secure")
    assert [hop.status for hop in seen.hops] == [301]


def test_a_redirect_to_a_name_that_the_certificate_does_not_cover_is_a_verify_failure(
    reach_for: ReachFor, tls_for: TlsFor
) -> None:
    seen = follow(reach_for, tls_for, NAME, "https://balancer.example/x")
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.TLS_VERIFY
    assert "balancer.example" in seen.failure.message
    assert "127.0.0.1" not in seen.failure.message


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY"])
def test_the_users_variables_do_not_change_what_is_tested(
    reach_for: ReachFor, tls_for: TlsFor, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1/nowhere")
    assert follow(reach_for, tls_for, NAME, f"https://{NAME}/x").status == 200


def test_a_redirect_loop_and_a_refusal_are_told_apart(reach_for: ReachFor, tls_for: TlsFor) -> None:
    loop = follow(reach_for, tls_for, NAME, f"http://{NAME}/x")
    assert loop.failure is not None
    assert loop.failure.kind == FailureKind.REDIRECT_REFUSED
    reach = reach_for(f"{NAME}:80:127.0.0.1:{servers.unused_port()}")
    refused = client.observe(ClientProbe(url=f"http://{NAME}/", deadline=1), reach)
    assert refused.failure is not None
    assert refused.failure.kind == FailureKind.CONNECT_REFUSED
