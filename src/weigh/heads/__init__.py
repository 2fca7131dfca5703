"""Heads and losses of networks: one file per kind of label."""
