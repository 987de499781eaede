"""MLflow: the real tracking server and model registry."""

import sys

# A fifth of MLflow's import, and for data sets only: the server's own code does without.
sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
