"""The layout of the hand-off's picture: where the parts are, and which checks are about them."""

from pathlib import Path

import msgspec

from harness import settings_file
from harness.errors import UsageError


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class PartEntry(_Entry, frozen=True, kw_only=True):
    """A part of the platform and the checks about it; ``at`` is column and row."""

    title: str
    at: tuple[int, int]
    checks: tuple[str, ...] = ()


class LinkEntry(_Entry, frozen=True, kw_only=True):
    """A link between two parts and the checks about it."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    says: str
    checks: tuple[str, ...] = ()


class Layout(_Entry, frozen=True, kw_only=True):
    """The parts and links of the picture: ``causes/request-path.yaml``."""

    parts: dict[str, PartEntry]
    links: tuple[LinkEntry, ...]


def load(path: Path) -> Layout:
    """Return the layout in ``path``. Raises UsageError if a link leads nowhere."""
    layout = settings_file.convert(settings_file.read_mapping(path), Layout, path)
    for number, link in enumerate(layout.links):
        for end in (link.start, link.end):
            if end not in layout.parts:
                raise UsageError(f"{path}: links[{number}]: there is no part '{end}'")
    return layout
