"""The hand-off: the document that lets somebody else act, in Markdown and in HTML.

It says only what a run observed, what the catalogue documents and what the environment's file
configures; what is not known is named as such.
"""

from harness.reports.handoff.build import build
from harness.reports.handoff.conclude import conclude
from harness.reports.handoff.model import HandOff
from harness.reports.handoff.rendering import write
from harness.reports.handoff.sources import Sources

__all__ = ["HandOff", "Sources", "build", "conclude", "write"]
