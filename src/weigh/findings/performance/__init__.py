"""How well does the winner do, and what must be said beside that number?"""
