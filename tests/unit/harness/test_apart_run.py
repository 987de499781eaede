"""What the process beside pytest's keeps of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.apart.messages import Show
from harness.apart.run import Run
from tests.unit.harness.test_apart_observer import Here
from tests.unit.reports.handoff_sources import CHECKS
from tests.unit.reports.test_allure_conclude import of_project, told


class Clumsy(Here):
    """Cannot show anything."""

    def show(self, *_told: Any) -> None:
        raise KeyError("labels")


def test_a_result_that_cannot_be_shown_is_told_of_at_the_end(tmp_path: Path) -> None:
    run = Run(of_project(), tmp_path, lambda _seen: None)
    run.hands = Clumsy()
    run.show(Show({"uuid": "1"}, CHECKS[0], []))
    with pytest.raises(KeyError):
        run.conclude(told())
