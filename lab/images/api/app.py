"""A build of the API, put together."""

from __future__ import annotations

from fastapi import FastAPI

from lab.images.api import authentication, proxy, reports, settings
from lab.images.api.build import Build


def create(build: Build, given: settings.Settings) -> FastAPI:
    """The application of a build with these settings."""
    app = FastAPI(title="Hokusai registry API", version=build.version)
    breaker = build.breaker()
    authentication.install(app, build, given)
    app.include_router(build.health(given, breaker))
    app.include_router(reports.router(build, given, breaker))
    app.include_router(proxy.router(given, breaker))
    return app
