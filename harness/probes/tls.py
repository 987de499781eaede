"""A TLS handshake: verified as a client would, and the chain that the server sent."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterable
from typing import Any

from harness.observation import Certificate, Failure, FailureKind, TlsObservation
from harness.probes.network import Reach, streams
from harness.probes.stage import Clock
from harness.specs import TlsProbe

ENCODING_DER = 2  # _ssl.ENCODING_DER
# As openssl's own command writes them.
SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
}


async def observe(probe: TlsProbe, reach: Reach) -> TlsObservation:
    """Shake hands. If the certificate is not trusted, do it again to see what was offered."""
    clock = Clock(probe.deadline)
    try:
        async with asyncio.timeout(probe.deadline):
            seen, failure = await _verified(probe, reach, clock)
    except Exception as error:
        seen, failure = {}, clock.failure(error, f"{probe.host}:{probe.port}")
    return TlsObservation(host=probe.host, port=probe.port, failure=failure, **seen)


async def _verified(
    probe: TlsProbe, reach: Reach, clock: Clock
) -> tuple[dict[str, Any], Failure | None]:
    try:
        return await _handshake(probe, reach, reach.context(), clock), None
    except ssl.SSLCertVerificationError as error:
        failure = Failure(
            kind=FailureKind.TLS_VERIFY,
            message=f"{probe.host}:{probe.port}: {error.verify_message}",
        )
    return await _handshake(probe, reach, _trusting(), clock), failure


async def _handshake(
    probe: TlsProbe, reach: Reach, context: ssl.SSLContext, clock: Clock
) -> dict[str, Any]:
    connected, address = await reach.connect(probe.host, probe.port, clock)
    try:
        _, writer = await streams(connected, context, probe.host, clock)
    except BaseException:
        connected.close()
        raise
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return {
            "address": str(address),
            "version": tls.version(),
            "cipher": cipher[0] if cipher else None,
            "chain": tuple(map(_certificate, _chain(tls))),
        }
    finally:
        writer.transport.abort()


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _chain(tls: ssl.SSLObject) -> list[Any]:
    # The object underneath tells what it parsed; the public method (Python 3.13) has only bytes.
    # A library that parses them as well takes 8 MiB, for nothing that OpenSSL has not said.
    underneath: Any = getattr(tls, "_sslobj", None)
    return underneath.get_unverified_chain() or []


def _certificate(sent: Any) -> Certificate:
    told = sent.get_info()
    return Certificate(
        subject=_name(told["subject"]),
        issuer=_name(told["issuer"]),
        names=tuple(value for kind, value in told.get("subjectAltName", ()) if kind == "DNS"),
        not_before=ssl.cert_time_to_seconds(told["notBefore"]),
        not_after=ssl.cert_time_to_seconds(told["notAfter"]),
        sha256=hashlib.sha256(sent.public_bytes(ENCODING_DER)).hexdigest(),
    )


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return a distinguished name as text, its most significant part first."""
    return ", ".join(f"{SHORT.get(kind, kind)}={value}" for part in parts for kind, value in part)
