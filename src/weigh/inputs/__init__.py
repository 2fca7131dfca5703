"""From examples to what a network is fed: one file per medium."""
