"""Tables as columns of text, however they are written: encodings, separators, headers, numbers, several labels."""
