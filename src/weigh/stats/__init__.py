"""Decision rules and intervals: comparisons, single scores, shift, curves, calibration, label errors. No files, no sentences."""
