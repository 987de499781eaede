"""The edge: every load balancer of the control plane, served by one asyncio loop in one thread."""

from __future__ import annotations

from pathlib import Path

from lab.edge.model import ControlPlane, Pace, TargetHealth


def bound_port(port: int) -> int:
    """The loopback port that stands for an AWS port: 80 → 8080, 443 → 8443, any other below 1024
    → + 8000.
    """
    return {80: 8080, 443: 8443}.get(port, port + 8000 if port < 1024 else port)


class Edge:
    """Serves the control plane's load balancers until stopped. Every method may be called from
    any thread.
    """

    def __init__(
        self, control: ControlPlane, *, access_log: Path, pace: Pace | None = None
    ) -> None:
        """Nothing is opened before `start`. Access-log lines are appended to `access_log`."""
        raise NotImplementedError

    def start(self) -> None:
        """Open every listener, begin health checks. Raises OSError if an address is taken."""
        raise NotImplementedError

    def sync(self, timeout: float = 2.0) -> None:
        """Take over the control plane's listeners, ingress and targets now (else within
        `pace.reconcile`).
        """
        raise NotImplementedError

    def target_health(self, target_group_arn: str) -> tuple[TargetHealth, ...]:
        """What DescribeTargetHealth answers for this target group, draining targets included."""
        raise NotImplementedError

    def stop(self, timeout: float = 2.0) -> None:
        """Close every socket and end the thread. May be called more than once."""
        raise NotImplementedError
