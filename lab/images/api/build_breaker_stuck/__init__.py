"""The corrected build with a circuit breaker that is open for good: for a fault."""

from dataclasses import replace

from lab.images.api import build_corrected
from lab.images.api.build_breaker_stuck.circuit_breaker import CircuitBreaker

BUILD = replace(build_corrected.BUILD, version="breaker-stuck", breaker=CircuitBreaker)
