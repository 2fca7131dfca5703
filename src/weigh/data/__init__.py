"""From files to the index of a data set: which examples there are, what is wrong with them, who trains and who tests."""
