"""Runs a build of the registry API."""

from __future__ import annotations

from importlib import import_module

import psycopg2  # noqa: F401 - imported before the task is forked
import uvicorn

from lab.images.api import app, settings
from lab.images.api import build_2025_08_06 as _documented  # noqa: F401 - likewise
from lab.images.api import build_corrected as _corrected  # noqa: F401 - likewise
from lab.images.api.build import Build


def run(tag: str) -> None:
    """Serve the build with this tag until SIGTERM."""
    module = "lab.images.api.build_" + tag.replace("-", "_")
    build: Build = import_module(module).BUILD
    given = settings.read(build.default_user)
    uvicorn.run(
        app.create(build, given),
        host=given.host,
        port=given.port,
        # Pure Python all the way down, so that the task's own network applies.
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="info",
        timeout_graceful_shutdown=1,
    )
