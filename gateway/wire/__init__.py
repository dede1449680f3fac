"""OpenAI's bodies: requests as typed structs, answers as checked mappings, server-sent events. No I/O."""
