"""Payloads: what was asked and answered, committed to in entries and sealed under keys that can be destroyed."""
