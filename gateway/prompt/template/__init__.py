"""From the body of a prompt and values to messages."""
