"""Memory kept between steps: reused without new pages while training, handed back after it, the numbers the same."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from weigh.train.pages import keeping_pages

pytest.importorskip("resource")
LARGE = 12_000_000  # float32 values, 48 MB: glibc alone never keeps so large a block


PROGRAM = """
import resource, torch
from weigh.train.pages import keeping_pages

def work():
    torch.empty(LARGE).fill_(1)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with keeping_pages():
    for _ in range(20):  # until the blocks have found their places
        work()
    inside = faults()
work()
print(inside, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_large_blocks_are_reused_without_new_pages():
    """In a process of its own: where much was allocated before, a hole in the heap may serve the block."""
    program = PROGRAM.replace("LARGE", str(LARGE))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    inside, outside = map(int, ran.stdout.split())
    assert inside < 100
    assert outside > 100


def test_the_numbers_stay():
    def compute():
        x = torch.linspace(0, 1, LARGE)
        return float(x.mul(3).sin().sum())

    expected = compute()
    with keeping_pages():
        assert compute() == compute() == expected


def test_nothing_happens_elsewhere(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with keeping_pages():
        pass
