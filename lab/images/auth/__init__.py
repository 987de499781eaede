"""The auth service, in two builds."""
