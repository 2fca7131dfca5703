"""What does the winner get wrong? Hardest examples, labels that look wrong, entities, numbers."""
