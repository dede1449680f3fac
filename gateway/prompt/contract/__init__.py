"""What a prompt takes of its callers."""
