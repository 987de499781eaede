"""An application load balancer replica; see `lab.edge.edge.Edge` and `lab.edge.model`."""

from lab.edge.doors import bound_port
from lab.edge.edge import Edge
from lab.edge.model import ControlPlane, LoadBalancer, Pace, TargetGroup, TargetHealth

__all__ = [
    "ControlPlane",
    "Edge",
    "LoadBalancer",
    "Pace",
    "TargetGroup",
    "TargetHealth",
    "bound_port",
]
