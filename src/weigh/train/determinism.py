"""The only place that sets torch's threads, deterministic algorithms and generators.

Same run, same machine, same numbers: also in another process, after a resume, and whatever ran before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from weigh.train.pages import keeping_pages


def single_thread() -> Iterator[None]:
    """Everything inside is computed by the calling thread, whose time the system counts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def beside(device: str) -> AbstractContextManager[None]:
    """While a GPU computes, torch's own threads on the processor only take time from those that decode: one is left."""
    return single_thread() if device.startswith("cuda") else nullcontext()


def one_thread() -> None:
    """For the threads of a pool that solves independent problems side by side: each keeps to itself."""
    torch.set_num_threads(1)
