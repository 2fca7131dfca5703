"""Predictions that others made, read as the records that findings read: tables, arrays, files of entities and of boxes."""
