"""gateway.toml and the environment as one frozen tree: `tree` says what there is, `load` reads it, `secret` resolves."""
