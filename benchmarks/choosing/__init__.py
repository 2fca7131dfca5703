"""The benchmark on choosing: which policy finds the best encoder for a small data set, and at what cost?"""
