"""GLUE, a public benchmark: its tasks, its download, its table of studies, answers to its test files. Registers itself."""
