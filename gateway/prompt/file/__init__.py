"""The file of a prompt: Prompty v2, read and checked, every problem with its line."""
