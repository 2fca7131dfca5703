"""Which task a folder or a file is for, told from names and first lines."""
