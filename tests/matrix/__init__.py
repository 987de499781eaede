"""Every fault × every check: what each fault turns red, and what the diagnosis makes of it."""
