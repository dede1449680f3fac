"""The log of every exchange: entries, their bytes and hashes, one durable log per process."""
