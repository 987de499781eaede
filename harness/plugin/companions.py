"""The plugins that a run has. They are named here, not searched for.

pytest finds plugins by reading what every installed package says of itself, several times over:
with the lab's packages that takes a tenth of a run, and loads what no check uses.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import pytest

# As `-p no:NAME` names them, and where they are.
PLUGINS = {
    "hokusai": "harness.plugin.hooks",
    "allure_pytest": "allure_pytest.plugin",
    "xdist": "xdist.plugin",
}
# What this suite adds to one of them.
ON_TOP = {"allure_pytest": "harness.plugin.allure_report"}


def load(arguments: Sequence[str]) -> None:
    """Import them before pytest starts, which looks into each module that is imported later."""
    for name, module in PLUGINS.items():
        if f"no:{name}" not in arguments and f"-pno:{name}" not in arguments:
            importlib.import_module(module)
            importlib.import_module(ON_TOP.get(name, module))


def register(manager: pytest.PytestPluginManager, parser: pytest.Parser) -> None:
    """Register this suite's plugin, Allure's and xdist's, each unless it is left out."""
    # xdist asks for it; the plugin that would declare it loads what only it needs.
    parser.addini("looponfailroots", "not used here", type="paths")
    for name, module in PLUGINS.items():
        if not (manager.is_blocked(name) or manager.has_plugin(name)):
            manager.register(importlib.import_module(module), name)
