"""Can stated probabilities be taken at face value?"""
