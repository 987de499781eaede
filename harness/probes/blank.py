"""The observation that a probe has when asking it failed as a whole."""

from __future__ import annotations

import msgspec

from harness.observation import (
    AwsObservation,
    ContractObservation,
    DnsObservation,
    Failure,
    HttpObservation,
    JourneyObservation,
    Observation,
    PostgresObservation,
    TcpObservation,
    TlsObservation,
    VariablesObservation,
)
from harness.specs import (
    AwsProbe,
    ClientProbe,
    ContractProbe,
    DnsProbe,
    HttpProbe,
    JourneyProbe,
    PostgresProbe,
    Probe,
    TcpProbe,
    TlsProbe,
    VariablesProbe,
)


def unanswered(probe: Probe, failure: Failure) -> Observation:
    """Return what is known of ``probe`` when there is nothing but ``failure``."""
    match probe:
        case HttpProbe() | ClientProbe():
            return HttpObservation(method=probe.method, url=probe.url, failure=failure)
        case DnsProbe():
            return DnsObservation(name=probe.name, record=probe.record, failure=failure)
        case TcpProbe():
            port = int(probe.port) if probe.port.isdigit() else 0
            return TcpObservation(host=probe.host, port=port, failure=failure)
        case TlsProbe():
            return TlsObservation(host=probe.host, port=probe.port, failure=failure)
        case PostgresProbe():
            return PostgresObservation(
                host=probe.host, user=probe.user, database=probe.database, failure=failure
            )
        case VariablesProbe():
            return VariablesObservation(failure=failure)
        case ContractProbe():
            return ContractObservation(target=probe.target, failure=failure)
        case JourneyProbe():
            return JourneyObservation(failure=failure)
        case AwsProbe():
            return AwsObservation(parameters={"section": probe.section}, failure=failure)
        case _:
            raise TypeError(f"no observation for {type(probe).__name__}")


def unasked(probe: Probe, failure: Failure) -> Observation:
    """Return the same for a probe that nobody is left to ask: as it would have been recorded."""
    return msgspec.structs.replace(
        unanswered(probe, failure), probe=probe.key, label=probe.label, vantage=probe.vantage
    )
