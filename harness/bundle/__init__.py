"""The evidence bundle: what the infrastructure team would otherwise have to be asked for.

Logs, permissions, security groups, Cloud Map, access logs and the wiring of the secret, collected
with read operations only, redacted before anything is written, with an index that says what could
not be had and what would give it.
"""

from harness.bundle.collect import Collected, collect
from harness.bundle.index import write

__all__ = ["Collected", "collect", "write"]
