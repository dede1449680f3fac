"""Prompts: released files, their contract with callers, rendering, versions and labels."""
