"""Which candidate is better? Pairs, the set that may hold the best, races, and the comparison without suspects."""
