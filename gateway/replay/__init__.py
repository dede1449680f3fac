"""A repeated request gets its first answer: idempotency keys, in memory or in Redis."""
