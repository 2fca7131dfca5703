"""Models of Keras that cannot be translated: frozen features, which Keras computes."""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import numpy as np
import torch

from weigh.errors import ModelError
from weigh.language import Text, text
from weigh.models.address import Address
from weigh.models.keras.network import Vector
from weigh.models.keras.reference import Reference
from weigh.models.only_features import only_features
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import Pretrained, Provenance
from weigh.notices import notice

__all__ = ["frozen_features"]


def frozen_features(
    address: Address, reference: Reference, preparation: Preprocessing, provenance: Provenance, reason: Text, *, blue_first: bool = False
) -> Pretrained:  # fmt: skip
    """Features that Keras computes.

    Raises:
        ModelError: The model takes more than pictures, or has several outputs with heads of their own.
    """
    if not reference.single:
        raise ModelError(
            text(
                "{a} is not a network with pictures as its only input and with one output.",
                "{a} 不是只以图片为输入、且只有一个输出的网络。",
                a=address.written,
            ),
            text(
                "weigh gives it pictures and nothing else, and cannot know which of several outputs is meant.",
                "weigh 只向它提供图片，也无法判断多个输出中该用哪一个。",
            ),
            text(
                "Save the part that is meant as a model of its own: keras.Model(model.inputs[0], model.get_layer('NAME').output).save('part.keras')",
                "请把所需的部分另存为一个模型：keras.Model(model.inputs[0], model.get_layer('名称').output).save('part.keras')",
            ),
        )
    notice(
        text(
            "{a} is not trained, it gives frozen features: {r}.",
            "{a} 不能训练，只提供冻结的特征：{r}。",
            a=address.written,
            r=reason,
        )
    )
    body = reference.without_head()

    def compute(batch: torch.Tensor) -> torch.Tensor:
        return Vector()(body.compute(batch.flip(1) if blue_first else batch))

    digest = _digest(reference)
    return only_features(
        address, compute, preparation, provenance, digest=digest, parameters=reference.parameters,
        size=4 * reference.parameters, runtime=_version(), lacking={"network": reason, "maps": reason},
    )  # fmt: skip


def _digest(reference: Reference) -> str:
    """Hash of all numbers of a model of Keras."""
    digest = hashlib.sha256()
    for path in sorted(reference.layers):
        for array in reference.arrays(path):
            digest.update(f"{path}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _version() -> str:
    return f"keras {version('keras')}, its own precision"
