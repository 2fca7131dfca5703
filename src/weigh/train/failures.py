"""What goes wrong in one run, as its outcome: the cause in words, and what may help."""

from __future__ import annotations

import traceback

import numpy as np
import torch

from weigh.disk import is_storage_fault, storage_error
from weigh.errors import WeighError, WeightsReplaced, reason_of
from weigh.run import Outcome

__all__ = ["MORE_EXACT", "Diverged", "OutOfMemory", "failed_outcome", "out_of_memory"]

# trains -> precision -> the one in which a run is tried once more. A network that leaves the finite numbers in single precision does so
# because of its learning rate, and would in double precision too.
MORE_EXACT = {"head": {"bf16": "fp32", "fp16": "fp32", "fp32": "fp64"}, "network": {"bf16": "fp32", "fp16": "fp32"}}


class Diverged(FloatingPointError):
    """Training left the finite numbers; the message says when, for the record."""


class OutOfMemory(Exception):
    """Not even a few examples at a time fit into the memory; the message says what to set."""


NUMERICAL = (ArithmeticError, np.linalg.LinAlgError, torch.linalg.LinAlgError)


def failed_outcome(key: str, error: Exception) -> Outcome:
    """The outcome of a run that raised.

    Raises:
        WeightsReplaced, StorageError: The study or the machine is at fault and not the run.
    """
    if isinstance(error, WeightsReplaced) or is_storage_fault(error):
        raise error if isinstance(error, WeighError) else storage_error(error) from error
    if isinstance(error, WeighError):
        cause = error.render("en")
    elif isinstance(error, (Diverged, OutOfMemory)):
        cause = str(error)
    else:
        kind, reason = type(error).__name__, reason_of(error, 300)
        cause = kind if reason == kind else f"{kind}: {reason}"
    cause = " ".join(cause.split("\n"))  # it stands in sentences
    measured = {"traceback": "".join(traceback.format_exception(error)[-6:])}
    remedy = "exact" if isinstance(error, NUMERICAL) else "alone" if out_of_memory(error) else ""
    return Outcome(key, "failed", cause=cause, measured=measured, remedy=remedy)


def out_of_memory(error: Exception) -> bool:
    """Accelerators have their own exception; the processor's allocator says it in words."""
    return isinstance(error, (OutOfMemory, torch.OutOfMemoryError, MemoryError)) or "allocate memory" in str(error)
