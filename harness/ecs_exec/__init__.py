"""ECS Exec in Python: commands in Fargate tasks, and a testinfra backend for them.

See README.md in this folder. Nothing else of the suite is needed.
"""

from harness.ecs_exec.client import EcsExec
from harness.ecs_exec.errors import EcsExecError
from harness.ecs_exec.framing import Answer

__all__ = ["Answer", "EcsExec", "EcsExecError"]
