"""From a specification to runs and jobs: candidates, folds, purposes, keys, predicted cost."""
