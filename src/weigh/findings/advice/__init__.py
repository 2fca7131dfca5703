"""What to do next, and what the study does not show."""
