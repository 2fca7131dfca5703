"""What runs left behind: the ledger of a study and its arrays, predictions that others made, and the choice of the winner."""
