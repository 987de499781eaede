"""Where the suite and the lab meet: ``--env local`` starts the lab if none is running."""

pytest_plugins = ["harness.plugin.hooks", "pytester"]
