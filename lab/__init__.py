"""The lab: an embedded replica of the platform, on loopback addresses of its own."""
