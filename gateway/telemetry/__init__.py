"""Names of metrics, log events and timings, in one place."""
