"""Layers that torch is slow at on a processor, and the equal ones that take their place in training."""
