"""Pictures: which files are some, decoding, checks, copies, masks, tables of paths, the demo."""
