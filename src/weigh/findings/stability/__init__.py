"""How much of a score is luck? Spread over runs, where it comes from, and how training went."""
