"""Labels: which version counts, for whom, since when and why."""
