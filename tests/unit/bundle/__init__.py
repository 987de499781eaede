"""Tests of the evidence bundle, without an environment."""
