"""Texts: tables and folders of them, checks, near copies, scripts, new texts, the demo."""
