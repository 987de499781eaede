"""The job's project: the real plugin, with nothing taken away."""

import pytest

from harness.plugin import companions


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the suite's plugins."""
    companions.register(pluginmanager, parser)
