"""The hand-off as Markdown and as HTML, by templates; both say the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness import whole
from harness.redaction import Redactor
from harness.reports.handoff.drawing import drawing
from harness.reports.handoff.model import HandOff

if TYPE_CHECKING:
    from jinja2 import BytecodeCache
    from jinja2 import Environment as Templates

# What is compiled is kept by its path: one and the same, however this module was found.
FOLDER = Path(__file__).resolve().parent / "templates"
MARKDOWN, HTML = "handoff.md", "handoff.html"
TEXT_TEMPLATE, PAGE_TEMPLATE = "handoff.md.j2", "handoff.html.j2"


def write(folder: Path, handoff: HandOff, redactor: Redactor) -> tuple[Path, Path]:
    """Write both renderings into ``folder``, each whole or not at all; returns their paths."""
    # Redacted before it is rendered: escaping would hide a secret from the redactor.
    clean = redactor.clean(handoff)
    markdown, html = folder / MARKDOWN, folder / HTML
    for path, text in ((markdown, as_markdown(clean)), (html, as_html(clean))):
        whole.write(path, text.encode())
    return markdown, html


def get_ready() -> None:
    """Load what rendering needs; otherwise the first rendering does."""
    for template in (PAGE_TEMPLATE, TEXT_TEMPLATE):
        _templates().get_template(template)


def as_markdown(handoff: HandOff) -> str:
    """Return the hand-off as GitHub-flavoured Markdown with a Mermaid picture."""
    return _render(TEXT_TEMPLATE, handoff)


def as_html(handoff: HandOff) -> str:
    """Return the hand-off as one HTML page without scripts and without external requests."""
    return _render(PAGE_TEMPLATE, handoff)


def as_summary(handoff: HandOff, answer: str) -> str:
    """Return what a pipeline's page shows of a run: verdicts, root causes, the picture."""
    return _render("summary.md.j2", handoff, answer)


def _render(template: str, handoff: HandOff, answer: str = "") -> str:
    return (
        _templates()
        .get_template(template)
        .render(
            h=handoff,
            answer=answer,
            titles={f.id: f.title for f in handoff.failures},
            drawing=drawing(handoff.picture),
        )
    )


@lru_cache(maxsize=1)
def _templates() -> Templates:
    # Imported here: a run pays for it once, at its end.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        bytecode_cache=_compiled(),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(
        cell=cell, span=span, fence=fence, plain=plain, anchor=anchor, quoted=quoted
    )
    return templates


def _compiled() -> BytecodeCache | None:
    """Keep compiled templates where Python keeps compiled modules: it takes half a second."""
    from jinja2 import FileSystemBytecodeCache

    folder = FOLDER / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


def cell(text: str) -> str:
    """Return text for a cell of a Markdown table or a line of prose: one line, nothing active."""
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", " ".join(str(text).split()))


def span(text: str) -> str:
    """Return text as a Markdown code span, also in a table's cell."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def fence(lines: str | Iterable[str], language: str = "") -> str:
    """Return a fenced Markdown block that nothing in ``lines`` can end."""
    text = lines if isinstance(lines, str) else "\n".join(lines)
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def plain(text: str) -> str:
    """Return a name for Mermaid: without what its grammar takes for its own."""
    return re.sub(r"[^\w ,./-]", "", str(text))


def anchor(id: str) -> str:
    """Return a fragment identifier."""
    return re.sub(r"[^a-z0-9]+", "-", id.lower()).strip("-")


def quoted(text: str) -> str:
    """Return every line of ``text`` as a Markdown quotation."""
    return "\n".join(f"> {line}" for line in str(text).splitlines())


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
