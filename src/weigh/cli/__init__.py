"""The command line: one file per group of commands; it parses, calls `study.py` or `reading.py`, and prints."""
