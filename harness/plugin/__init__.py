"""The pytest plugin: the one place where the engine meets pytest."""
