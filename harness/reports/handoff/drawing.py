"""Where the picture's shapes go: coordinates for the SVG, worked out from columns and rows."""

from __future__ import annotations

import msgspec

from harness.reports.handoff.model import Link, LinkState, Part, Picture

# In units of the drawing: as wide as a phone is, so that its text stays readable there.
COLUMN, ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN = 156, 104, 116, 46, 16
CLASS = {
    LinkState.BROKEN: "broken",
    LinkState.AFFECTED: "affected",
    LinkState.UNKNOWN: "unknown",
    LinkState.WORKS: "works",
}
SIGN = {
    LinkState.BROKEN: "\N{MULTIPLICATION X}",
    LinkState.AFFECTED: "!",
    LinkState.UNKNOWN: "?",
    LinkState.WORKS: "\N{CHECK MARK}",
}


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A part: its box's corner and its centre."""

    part: Part
    x: float
    y: float
    style: str
    badge: str

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the box."""
        return self.x + BOX_WIDTH / 2, self.y + BOX_HEIGHT / 2


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A link: from border to border, with its badge in the middle and its words beside it."""

    link: Link
    x1: float
    y1: float
    x2: float
    y2: float
    label_x: float
    label_y: float
    anchor: str
    style: str
    badge: str

    @property
    def middle(self) -> tuple[float, float]:
        """Where the badge goes."""
        return round((self.x1 + self.x2) / 2, 1), round((self.y1 + self.y2) / 2, 1)


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drawing; sizes in its own units."""

    width: int
    height: int
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    told: str


def drawing(picture: Picture) -> Drawing:
    """Return where everything goes."""
    boxes = {part.id: _box(part) for part in picture.parts}
    columns = max((part.at[0] for part in picture.parts), default=0)
    rows = max((part.at[1] for part in picture.parts), default=0)
    return Drawing(
        width=2 * MARGIN + columns * COLUMN + BOX_WIDTH,
        height=2 * MARGIN + rows * ROW + BOX_HEIGHT,
        box_width=BOX_WIDTH,
        box_height=BOX_HEIGHT,
        boxes=tuple(boxes.values()),
        lines=tuple(_line(link, boxes[link.start], boxes[link.end]) for link in picture.links),
        told=_told(picture),
    )


def _box(part: Part) -> Box:
    column, row = part.at
    return Box(
        part=part,
        x=MARGIN + column * COLUMN,
        y=MARGIN + row * ROW,
        style=CLASS[part.state],
        badge=_badge(part.state, part.causes),
    )


def _badge(state: LinkState, causes: tuple[int, ...]) -> str:
    return ",".join(map(str, causes)) or SIGN[state]


def _line(link: Link, start: Box, end: Box) -> Line:
    x1, y1 = _border(start, end)
    x2, y2 = _border(end, start)
    level = abs(y1 - y2) < 1
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    return Line(
        link=link,
        x1=round(x1, 1),
        y1=round(y1, 1),
        x2=round(x2, 1),
        y2=round(y2, 1),
        label_x=round(middle_x if level else middle_x + 14, 1),
        # Under the boxes where they stand side by side: the gap is narrower than the words.
        label_y=round(middle_y + BOX_HEIGHT / 2 + 12 if level else middle_y + 4, 1),
        anchor="middle" if level else "start",
        style=CLASS[link.state],
        badge=_badge(link.state, link.causes),
    )


def _border(box: Box, towards: Box) -> tuple[float, float]:
    """Return the point of the box's border on the way to the other box's centre."""
    (x, y), (other_x, other_y) = box.centre, towards.centre
    across, down = other_x - x, other_y - y
    shares = [
        half / abs(way)
        for half, way in ((BOX_WIDTH / 2, across), (BOX_HEIGHT / 2, down))
        if abs(way) > 0
    ]
    share = min(shares, default=0.0)
    return x + across * share, y + down * share


def _told(picture: Picture) -> str:
    """Return the picture in words, for who does not see it."""
    titles = {part.id: part.title for part in picture.parts}
    wrong = [
        f"{titles[link.start]} to {titles[link.end]} is {link.state}"
        for link in picture.links
        if link.state is not LinkState.WORKS
    ]
    wrong += [f"{p.title} is {p.state}" for p in picture.parts if p.state is not LinkState.WORKS]
    return "; ".join(wrong) or "every part and every link works"
