"""Reports: what a run says to people and to machines. A report never probes."""
