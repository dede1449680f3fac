"""Finding exchanges and other entries in the logs of a store, and showing them: who may see what is decided here."""
