"""ECS Exec's other side: Session Manager's message gateway and the agent inside of the tasks.

`orders` keeps who may open which session, `api` answers ExecuteCommand, `gateway` listens,
`session` is one session from its token to its end, on a `channel` that speaks in `wire` messages,
with a `terminal` in which the command runs inside the task.
"""

from __future__ import annotations

from lab.exec_agent.api import ExecuteCommandApi
from lab.exec_agent.gateway import Gateway
from lab.exec_agent.orders import Order, Orders

__all__ = ["ExecuteCommandApi", "Gateway", "Order", "Orders"]
