"""Servers that misbehave in every way that was thought of, against every kind of probe."""
