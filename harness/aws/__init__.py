"""The AWS control plane as seen by the suite: read-only, bounded, named by section."""
