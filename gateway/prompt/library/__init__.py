"""All prompts of a folder: their versions, frozen once they are published."""
