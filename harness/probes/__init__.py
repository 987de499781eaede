"""Probes: bounded, read-only measurements that return observations and never judge."""
