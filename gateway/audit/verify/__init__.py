"""The second reader: it checks what a log holds without any of the code that wrote it."""
