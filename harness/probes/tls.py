"""A TLS handshake: verified as a client would, and the chain that the server sent."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from harness.loading import loaded
from harness.observation import Certificate, Failure, FailureKind, TlsObservation
from harness.probes.network import Reach, streams
from harness.probes.stage import Clock
from harness.specs import TlsProbe


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
        await loaded("cryptography.x509")
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return {
            "address": str(address),
            "version": tls.version(),
            "cipher": cipher[0] if cipher else None,
            "chain": tuple(_certificate(der) for der in _chain(tls)),
        }
    finally:
        writer.transport.abort()


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    # Public since Python 3.13; before, the same method of the private object underneath.
    source: Any = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    chain = source.get_unverified_chain() if source else None
    if chain:
        return [bytes(_der(certificate)) for certificate in chain]
    leaf = tls.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def _der(certificate: Any) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    encoding_der = 2  # _ssl.ENCODING_DER
    return bytes(certificate.public_bytes(encoding_der))


def _certificate(der: bytes) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    parsed = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        names=_names(parsed),
        not_before=parsed.not_valid_before_utc.timestamp(),
        not_after=parsed.not_valid_after_utc.timestamp(),
        sha256=parsed.fingerprint(SHA256()).hex(),
    )


def _names(certificate: Any) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))
