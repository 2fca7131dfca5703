"""Pretrained models by address: one file per source, checkpoints, preparation, where a network is cut."""
