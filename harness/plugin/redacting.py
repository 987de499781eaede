"""What a check printed or logged, redacted before anybody else gets to see its report."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from harness.redaction import Redactor


class Redacting:
    """A plugin of one run. Its wrapper is the innermost: Allure and JUnit come after it."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take secrets out of captured output and logs."""
        report = yield
        report.sections = [
            (title, self._redactor.text(content)) for title, content in report.sections
        ]
        return report
