"""Benchmarks: how long this suite takes, beside what people use instead, in one run."""
