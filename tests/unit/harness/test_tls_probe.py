from __future__ import annotations

import asyncio
import contextlib
import ssl

import trustme

from harness.observation import FailureKind, TlsObservation
from harness.probes import tls
from harness.specs import TlsProbe
from tests.unit.harness import servers
from tests.unit.harness.conftest import ReachFor, TlsFor

NAME = "registry.example"


def look(reach_for: ReachFor, port: int, deadline: float = 2.0) -> TlsObservation:
    probe = TlsProbe(host=NAME, deadline=deadline)
    return asyncio.run(tls.observe(probe, reach_for(f"{NAME}:443:127.0.0.1:{port}")))


def test_a_trusted_certificate_is_told_with_its_names(reach_for: ReachFor, tls_for: TlsFor) -> None:
    with servers.serving(servers.silent, tls_for(NAME, "other.example")) as port:
        seen = look(reach_for, port)
    assert seen.failure is None
    assert seen.chain[0].names == (NAME, "other.example")
    assert seen.chain[0].not_after > seen.chain[0].not_before
    assert seen.version is not None


def test_an_untrusted_certificate_is_a_verify_failure_and_still_shown(
    reach_for: ReachFor, tls_for: TlsFor
) -> None:
    stranger = trustme.CA()
    with servers.serving(servers.silent, tls_for(NAME, signed_by=stranger)) as port:
        seen = look(reach_for, port)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.TLS_VERIFY
    assert seen.chain[0].names == (NAME,)


def test_a_server_that_does_not_speak_tls_is_a_handshake_failure(reach_for: ReachFor) -> None:
    with servers.serving(servers.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        seen = look(reach_for, port, deadline=1.0)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.TLS_HANDSHAKE


def test_a_handshake_that_never_ends_is_ended_by_the_deadline(reach_for: ReachFor) -> None:
    with servers.serving(servers.silent) as port:
        seen = look(reach_for, port, deadline=0.3)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.TLS_HANDSHAKE
    assert "within 0.3 s" in seen.failure.message


def test_the_whole_chain_is_seen(reach_for: ReachFor, authority: trustme.CA) -> None:
    intermediate = authority.create_child_ca()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    intermediate.issue_cert(NAME).configure_cert(context)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(servers.serving(servers.silent, context))
        seen = look(reach_for, port)
    assert seen.failure is None
    assert len(seen.chain) == 2
    assert seen.chain[0].issuer == seen.chain[1].subject
