"""Exit codes of a run. 0 to 5 are pytest's own."""

PASSED = 0
FAILED = 1
INTERRUPTED = 2
INTERNAL_ERROR = 3
USAGE = 4
NOTHING_SELECTED = 5
BLOCKED = 6
NOT_DEPLOYED = 7
