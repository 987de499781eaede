"""Contracts: requirements that any class of a kind can be held to. Each runs as a script."""
