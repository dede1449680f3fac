"""Public model name to route to upstream."""
