"""Boxes of pictures: where they stand, what their numbers mean, and what is wrong with them."""
