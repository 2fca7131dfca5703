"""The result for the minute: the same data, weights, cores and wall-clock budgets for everybody; who predicts a held-out part best?

`sets.py` writes the data, `contenders/` are the tools that are compared, `run.py` gives each its time in a process of its own, `judge.py` asks
`weigh read` about every pair, `publish.py` writes docs/benchmarks/result.md.
"""
