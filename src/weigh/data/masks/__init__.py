"""Masks of pictures: which mask belongs to which picture, what the values of its pixels mean, and what is wrong with them."""
