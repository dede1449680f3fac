"""Value objects of one request's life: caller, exchange, usage, ids. No I/O, no rules of a step."""
