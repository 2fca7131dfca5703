"""Contracts that every registered task, source, recipe, metric and finding must pass; plugins run them too."""
