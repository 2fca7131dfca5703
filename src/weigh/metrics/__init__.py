"""Metrics: `measure` once per prediction, `reduce` for any weights (see `base.py`)."""

from __future__ import annotations

from weigh.metrics.tables import confusion_matrix, per_class, require_metric

__all__ = ["confusion_matrix", "per_class", "require_metric"]
