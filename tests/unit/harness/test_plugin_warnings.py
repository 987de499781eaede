"""A run on an environment and the warnings of libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# In a thread, as a probe: it imports what it needs while some check is under way.
CHECKS = """
import threading
import warnings
import pytest
from harness.plugin.declare import symptom

@pytest.mark.p1
@symptom("health-endpoints")
def test_a_library_warns():
    seen = []
    def work():
        warnings.warn("a library is not complete", UserWarning)
        seen.append("an answer")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["an answer"]
"""


def test_a_warning_of_a_library_is_no_failure_of_a_probe(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks\nfilterwarnings =\n  error\n")
    pytester.makepyfile(test_checks=CHECKS)
    result = pytester.runpytest_subprocess("--env", "dev", "--missing=block")
    result.assert_outcomes(passed=1)
