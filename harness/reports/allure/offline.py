"""Generated pages ask nobody for anything: Allure's analytics are taken out."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import UsageError

_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)
_ANALYTICS = ("googletagmanager.com", "google-analytics.com", "gtag(")
_FETCHED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?\s(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)",
    re.IGNORECASE,
)


def take_out_analytics(page: Path) -> None:
    """Rewrite the page without third-party scripts. Raises UsageError if one is left."""
    text = page.read_text(encoding="utf-8")
    text = _SCRIPT.sub(lambda found: "" if _is_analytics(found[0]) else found[0], text)
    if left := fetched(text):
        raise UsageError(f"{page}: would ask {left[0]} when it is opened: not a page to hand out")
    page.write_text(text, encoding="utf-8")


def fetched(page: str) -> list[str]:
    """Return the addresses of other hosts that a browser asks for when it opens the page."""
    return [found[1] for found in _FETCHED.finditer(page)]


def _is_analytics(script: str) -> bool:
    # The program itself is one inlined data: script; only what is written out can be theirs.
    head = script[:2000]
    return "data:text/javascript" not in head and any(name in head for name in _ANALYTICS)
