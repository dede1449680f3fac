"""What an upstream answered, made ours: today ids, names and usage; parsing and contracts come here."""
