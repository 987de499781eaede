"""A process beside pytest's: it asks the probes, and renders what the run's end needs.

pytest's own start takes longer than most answers do, and one interpreter runs one thread at a
time. Started before pytest is imported, the other process has everything ready by the time that
the checks are collected, and its work costs judging nothing. ``python -m harness test`` starts it;
a plain ``pytest`` does the same work in its own process.
"""
