"""The limit: forward, backward and an AdamW step on normalised tensors that lie in memory, in weigh's arithmetic.

Nothing is decoded, augmented, checked or logged; fast layers, settings of torch and of memory are those of weigh. At most `RESIDENT` different pictures lie in memory and are used again.
"""

from __future__ import annotations

import torch

from benchmarks.speed.work import Contender, Epoch, Work, build, clock
from weigh.models.processor.layers import speed_up
from weigh.train.determinism import computing
from weigh.train.device import autocast, best_precision, resolve_device

RESIDENT = 512


def prepare(work: Work, precision: str = "auto") -> Contender:
    device = resolve_device()
    chosen = precision if precision != "auto" else best_precision(device)
    network = build(work).to(device, memory_format=torch.channels_last).train()
    speed_up(network, device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    held = min(work.pictures, RESIDENT) // work.batch * work.batch or work.batch
    pictures = torch.randn(held, 3, work.size, work.size, device=device).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, work.classes, (held,), device=device)

    def epoch() -> Epoch:
        done = 0
        with computing(threads=work.threads), clock() as timed:
            while done < work.pictures:
                start = done % held
                stop = min(start + work.batch, start + work.pictures - done)
                optimiser.zero_grad(set_to_none=True)
                with autocast(device, chosen):
                    logits = network(pictures[start:stop])
                torch.nn.functional.cross_entropy(logits.float(), target[start:stop]).backward()
                optimiser.step()
                done += stop - start
        return Epoch(done, timed.seconds)

    return epoch
