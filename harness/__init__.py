"""The acceptance suite's engine: environment, probes, verdicts, reports and the pytest plugin."""
