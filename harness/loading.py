"""Loading a library while others are asked: an import on the event loop would hold them all up."""

from __future__ import annotations

import asyncio
import importlib
import sys


async def loaded(*modules: str) -> None:
    """Return once these modules are there. Raises ImportError."""
    for module in modules:
        if module not in sys.modules:
            await asyncio.to_thread(importlib.import_module, module)
