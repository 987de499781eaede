"""Where allure-pytest is: each check's result goes on to who writes it, with what was observed."""

from __future__ import annotations

import pytest
from allure_commons.model2 import Parameter, TestResult

from harness.plugin import outcome
from harness.plugin.run import RUN
from harness.reports.allure import quick
from harness.reports.hands import Document


class AllureReport:
    """A plugin of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._item: pytest.Item | None = None

    def pytest_sessionstart(self) -> None:
        """Have what Allure's own plugin collects: it has registered its logger by now."""
        if self._config.pluginmanager.has_plugin("allure_listener"):
            quick.take_over(self._show)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell apart one check in several environments: each has a history of its own."""
        self._item = item
        listener = self._config.pluginmanager.get_plugin("allure_listener")
        if outcome.role(item) and listener is not None:
            result = listener.allure_logger.get_last_item(TestResult)
            name = self._config.stash[RUN].environment.name
            result.parameters.append(Parameter(name="environment", value=repr(name)))

    def _show(self, result: Document) -> None:
        hands, item = self._config.stash[RUN].hands, self._item
        judged = item.stash.get(outcome.JUDGED, None) if item else None
        observed = outcome.observed_by(item) if item and judged else []
        hands.show(result, judged, observed)
