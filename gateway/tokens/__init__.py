"""How many tokens a text is: exact where a tokenizer is at hand, bounded otherwise."""
