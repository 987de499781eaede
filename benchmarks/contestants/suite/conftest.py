"""The job's project: the real plugin, with nothing taken away."""

pytest_plugins = ["harness.plugin.hooks"]
