"""The lab's clock: what AWS measures in minutes happens here in seconds.

Intervals, start periods and back-offs are compressed by one constant. Time-outs are not, because
processes and sockets are no quicker here than there; they are only capped.
"""

from __future__ import annotations

COMPRESSION = 60.0
# Health checks of what is well come this seldom, to leave the processor to whoever tests. After
# every change of the control plane everything is checked at once.
CALM = 2.0
_SHORTEST = 0.05
_LONGEST_PATIENCE = 2.0


def compressed(seconds: float) -> float:
    """How long an interval of this many seconds at AWS takes in the lab (30 s: 0.5 s)."""
    return max(seconds / COMPRESSION, _SHORTEST)


def patience(seconds: float) -> float:
    """How long the lab waits where AWS would wait this many seconds for one answer."""
    return min(seconds, _LONGEST_PATIENCE)
