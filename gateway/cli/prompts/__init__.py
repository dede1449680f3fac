"""`gatehouse prompts`: one file for each group of its commands."""
