"""Models that weigh tries where a user names none, and which of them are within reach. Nothing is built or downloaded.

A short list by hand: small, well-known, of different families and pretraining, under MIT, Apache or BSD licences as their sources state them. The
order says which is likely to do well; what decides is how they do on the user's own data. Before it: the catalogue. After it: `execute/shortlist.py`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from weigh.language import Text, text
from weigh.models.catalogue import find_packaged
from weigh.models.hub import reachable

__all__ = ["SUGGESTED", "Suggested", "hub_answers", "out_of_reach", "suggested_for"]


class Suggested(NamedTuple):
    """One model.

    Attributes:
        address: Its address.
        reads: What it is made for, as `media.Medium.reads`.
        scripts: Texts: scripts that it was pretrained on (keys of `data.texts.scripts.WORDS`); empty: nearly all.
    """

    address: str
    reads: str
    scripts: tuple[str, ...] = ()


SUGGESTED = (
    Suggested("timm:convnext_tiny.in12k_ft_in1k", "pictures"),
    Suggested("timm:tf_efficientnetv2_s.in21k_ft_in1k", "pictures"),
    Suggested("timm:resnet50.a1_in1k", "pictures"),
    Suggested("timm:tf_efficientnet_lite2", "pictures"),
    Suggested("timm:tf_efficientnet_lite0", "pictures"),
    Suggested("timm:tf_efficientnet_lite1", "pictures"),
    Suggested("torchvision:mobilenet_v2", "pictures"),
    Suggested("hf:BAAI/bge-small-zh-v1.5", "texts", ("Han",)),
    Suggested("hf:BAAI/bge-small-en-v1.5", "texts", ("Latin",)),
    Suggested("hf:intfloat/multilingual-e5-small", "texts"),
    Suggested("hf:sentence-transformers/all-MiniLM-L6-v2", "texts", ("Latin",)),
    Suggested("hf:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "texts"),
    Suggested("hf:sentence-transformers/paraphrase-MiniLM-L3-v2", "texts", ("Latin",)),
)


def suggested_for(reads: str, script: str | None) -> tuple[Suggested, ...]:
    """The models that can read what the data are made of.

    Args:
        script: Of most texts; None where there are none.
    """
    return tuple(
        one for one in SUGGESTED if one.reads == reads and (script is None or not one.scripts or script in one.scripts)
    )


def hub_answers() -> bool:
    """Whether the model hub, or the mirror that stands for it, can be reached."""
    from huggingface_hub import constants

    return reachable(constants.ENDPOINT)


def out_of_reach(address: str, *, hub: bool) -> Text | None:
    """Why the weights of a model cannot be had now; None where they can.

    Args:
        hub: Whether the model hub may be asked and answers.
    """
    from weigh.models.pretrained import MODEL_SOURCES  # torch

    source, _, name = address.partition(":")
    if source == "hf" and find_spec("transformers") is None:
        return text("needs pip install 'weigh[text]'", "需要 pip install 'weigh[text]'")
    packaged = find_packaged(address)
    if hub or (packaged is not None and packaged.locate()) or MODEL_SOURCES.get(source).cached(name):
        return None
    if packaged is not None:
        return text("not installed: {i}", "未安装：{i}", i=packaged.install)
    return text("on the model hub, which is not within reach", "在模型库中，目前无法访问")
