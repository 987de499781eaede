"""Every fault against every check: what turns red, and what the diagnosis makes of it."""
