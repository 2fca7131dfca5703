"""Hostile inputs by seed: what is written (`documents.py`, `tables.py`, `studies.py`), how it is bent (`bend.py`), and who tries it (`children.py`)."""
