"""The only place that sets torch's threads, deterministic algorithms and generators.

Same run, same machine, same numbers: also in another process, after a resume, and whatever ran before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from weigh.train.pages import keeping_pages

__all__ = ["computing", "forked", "is_nondeterministic", "one_thread", "single_thread", "torch_generator"]


@contextmanager
def computing(*, threads: int, strict: bool = False) -> Iterator[None]:
    """Compute with `threads` threads and deterministic algorithms; everything is put back afterwards.

    The number of threads changes how sums are split and so the last bits: it is stored with the study's choices. Single precision is single precision:
    by default torch lets GPUs round what enters a convolution to ten bits (TF32), and saved models answer on the processor, which does not.

    Args:
        strict: Only deterministic operators: one that has no such form raises an error that `is_nondeterministic` knows. Attention on a
            GPU takes its deterministic form only then.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    before = torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before_on_gpu = cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32
    try:
        torch.set_num_threads(max(1, threads))
        # The same switch as `use_deterministic_algorithms`, which imports torch's compiler besides: seconds, and nothing is
        # compiled here.
        torch.set_deterministic_debug_mode("error" if strict else "warn")
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]  # guards against bugs only, costs time
        cudnn.benchmark = cudnn.allow_tf32 = products.allow_tf32 = False
        with keeping_pages():
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(deterministic)
        cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32 = before_on_gpu


def is_nondeterministic(error: Exception) -> bool:
    """Whether an operator refused to compute because it has no deterministic form on this device."""
    return (
        isinstance(error, RuntimeError)
        and "deterministic" in str(error)
        and "use_deterministic_algorithms" in str(error)
    )


@contextmanager
def forked(seed: int) -> Iterator[None]:
    """Torch's own generators seeded for what cannot be handed one (dropout, initialisation); put back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        yield


def torch_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator of its own for one purpose ("init", "order", "augmentation")."""
    generator = torch.Generator(device=device)
    generator.manual_seed(seed % 2**63)
    return generator


@contextmanager
def single_thread() -> Iterator[None]:
    """Everything inside is computed by the calling thread, whose time the system counts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> None:
    """Let the calling thread compute alone, as a thread of a pool that solves independent problems side by side should."""
    torch.set_num_threads(1)
