"""Tasks: how a program of an image is started, and confined to what a VPC would give it."""

from lab.images import UnknownImageError
from lab.tasks.hosts import TaskHosts, TaskProcess
from lab.tasks.inside import exec_argv

__all__ = ["TaskHosts", "TaskProcess", "UnknownImageError", "exec_argv"]
