"""The registry API. What the builds share is here; what differs is in `build_*`."""
