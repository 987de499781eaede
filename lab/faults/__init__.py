"""Faults: named changes to the platform, each made with AWS calls, and the way back.

A fault knows the platform only, nothing of the checks. It can be applied before the tasks start
and to a running lab alike; `heal` brings back what a healthy platform has, from whatever state.
"""

from lab.faults.fault import Fault, everything, find

__all__ = ["Fault", "everything", "find"]
