"""What further pretraining minimises where nothing is labelled: hidden words are guessed, views of one picture recognised.

Before it: `models/masked.py`, `inputs/`. After it: `pretraining.py`, which trains on either without knowing which.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.errors import MissingExtra, ModelError
from weigh.inputs.augment import augment, draw, draw_colours, recolour
from weigh.inputs.base import consecutive, to_device
from weigh.inputs.pictures import prepare_squares
from weigh.inputs.texts import Texts
from weigh.language import text
from weigh.models.encoder import Encoder
from weigh.models.masked import MaskedHead, Masking, masked_loss
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import Pretrained
from weigh.models.tokenisation import Tokenisation
from weigh.notices import Progress
from weigh.run import Setting
from weigh.seeds import seed
from weigh.train.determinism import forked
from weigh.train.device import autocast

__all__ = ["Contrast", "HiddenWords", "Objective", "make_objective"]


class Objective(Protocol):
    """A loss without labels."""

    @property
    def body(self) -> nn.Module:
        """What is trained further and kept."""
        ...

    @property
    def head(self) -> nn.Module:
        """What stands on the body for this loss alone; it is trained too and not kept."""
        ...

    def cut(self, shuffled: np.ndarray, size: int) -> list[np.ndarray]:
        """Examples in random order, as positions in `shuffled`, batch by batch."""
        ...

    def loss(self, indices: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """`()`: of one batch; everything random comes from `generator`."""
        ...


def make_objective(
    model: Pretrained,
    width: int,
    preparation: Any,
    unlabelled: Examples,
    options: dict[str, Any],
    setting: Setting,
    progress: Progress | None = None,
) -> Objective:
    """What suits the model.

    Args:
        width: Of the model's features.
        options: Of the section `pretrain`.

    Raises:
        ModelError: A model of texts that has no mask.
        MissingExtra: lightly is not installed (pictures).
    """
    if "tokens" in model.ports:
        return HiddenWords(model, preparation, unlabelled, options["mask"], setting)
    return Contrast(model.module, width, preparation, unlabelled, options["temperature"], setting, progress)


class HiddenWords:
    """Masked-language modelling (Devlin et al. 2019, §3.1).

    Raises:
        ModelError: The model has no mask.
    """

    def __init__(
        self, model: Pretrained, preparation: Tokenisation, unlabelled: Examples, share: float, setting: Setting
    ) -> None:
        self.masking = Masking.of(preparation, model.address.written)
        self.body: Encoder = model.module  # type: ignore[assignment]
        self.head = MaskedHead(self.body).to(setting.device)
        rows = preparation.encode(unlabelled.rows.tolist())
        self.inputs = Texts([(row,) for row in rows], preparation.pad, setting.device)
        self.share, self.setting = share, setting

    def cut(self, shuffled: np.ndarray, size: int) -> list[np.ndarray]:
        return self.inputs.cut(shuffled, size, training=True)

    def loss(self, indices: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        batch = self.inputs.batch(indices).inputs
        hidden, chosen = self.masking.hide(batch, self.share, generator)
        if not chosen.any():  # texts of special tokens alone
            return sum((p.sum() * 0 for p in self.head.parameters()), torch.zeros((), device=batch.device))
        with autocast(self.setting.device, self.setting.precision):
            return masked_loss(self.body, self.head, batch, hidden, chosen)


class Contrast:
    """Two random views of a picture are to be more alike than views of different pictures (Chen et al. 2020, SimCLR).

    Views are crops of 20 to 100 % with changed brightness, contrast and saturation. Loss and projection come from lightly.

    Raises:
        MissingExtra: lightly is not installed.
        ModelError: A network without one feature vector per picture.
    """

    def __init__(
        self, body: nn.Module, width: int, preparation: Preprocessing, unlabelled: Examples, temperature: float,
        setting: Setting, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if find_spec("lightly") is None:
            what = text("further pretraining on pictures", "在图片上继续预训练")
            raise MissingExtra("lightly", what, "selfsupervised")
        from lightly.loss import NTXentLoss
        from lightly.models.modules.heads import SimCLRProjectionHead

        self.body = body
        with forked(seed("pretrain", "head")):  # it takes no generator
            self.head: nn.Module = SimCLRProjectionHead(width, width, 128).to(setting.device)
        self.criterion = NTXentLoss(temperature=temperature)
        self.squares = prepare_squares(unlabelled, preparation, progress, folder=setting.cache)
        self.preparation, self.setting = preparation, setting

    def cut(self, shuffled: np.ndarray, size: int) -> list[np.ndarray]:
        return consecutive(len(shuffled), size)

    def loss(self, indices: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        squares = to_device(self.squares[indices], self.setting.device)
        views = []
        for _ in range(2):
            where, colours = draw(len(indices), "contrast", generator), draw_colours(len(indices), generator)
            views.append(recolour(augment(squares, where, self.preparation.shape), colours))
        batch = self.preparation.normalise(torch.cat(views))
        with autocast(self.setting.device, self.setting.precision):
            vectors = self.body(batch)
        if vectors.ndim != 2:
            raise ModelError(
                text("The network has no single vector per picture.", "该网络不能为每张图片给出单个特征向量。")
            )
        first, second = self.head(vectors.float()).chunk(2)
        return self.criterion(first, second)
