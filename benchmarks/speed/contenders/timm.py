"""timm: its loader with the default augmentation, its optimiser factory, and the steps of its training script.

The script train.py is in timm's repository and not in the package; `epoch` follows its train_one_epoch on a processor
(no prefetcher, no mixed precision, losses averaged).
"""

from __future__ import annotations

import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.utils import AverageMeter

from benchmarks.speed.work import LOADERS, MEAN, STD, Contender, Epoch, Work, build, clock


def prepare(work: Work) -> Contender:
    dataset = create_dataset("", root=work.folder, is_training=True)
    loader = create_loader(
        dataset, input_size=(3, work.size, work.size), batch_size=work.batch, is_training=True, use_prefetcher=False,
        color_jitter=0.4, interpolation="random", mean=MEAN, std=STD, num_workers=LOADERS, pin_memory=False,
        persistent_workers=False,
    )  # fmt: skip
    model = build(work)
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.01, momentum=0.9, weight_decay=2e-5)
    loss_fn = torch.nn.CrossEntropyLoss()

    def epoch() -> Epoch:
        seen = 0
        with clock() as timed:
            model.train()
            losses = AverageMeter()
            for inputs, target in loader:
                loss = loss_fn(model(inputs), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.update(loss.item(), inputs.size(0))
                seen += inputs.size(0)
        return Epoch(seen, timed.seconds)

    return epoch
