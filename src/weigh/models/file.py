"""Local checkpoints on a named architecture: `file:PATH@timm:NAME`. Safetensors, or pickles read with weights only."""

from __future__ import annotations

from dataclasses import replace

from weigh.language import Text, join_texts, text
from weigh.models.address import Address
from weigh.models.anatomy import weights_digest
from weigh.models.checkpoint import Fitted, files_of_checkpoint, fit, read_checkpoint
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance, load_from_source
from weigh.notices import notice
from weigh.settings import user_path

__all__ = ["load"]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`. The head may be absent or have another number of classes; everything else must fit."""
    path = user_path(address.path or "")
    base = load_from_source(address.architecture, pretrained=False, offline=offline)
    if not pretrained:
        return replace(base, address=address)
    checkpoint = read_checkpoint(path)
    fitted = fit(
        checkpoint,
        base.module.state_dict(),
        head=base.anatomy.head(base.module),
        beside=base.anatomy.beside,
        path=path,
        architecture=address.architecture,
    )
    base.module.load_state_dict(fitted.state)
    shapes = {name: tensor.shape for tensors in checkpoint.sets.values() for name, tensor in tensors.items()}
    base.anatomy.take_sizes(base.module, shapes)
    sentence = _what_fitted(fitted, path.name, address.architecture)
    if sentence is not None:
        notice(sentence)
    note = "" if sentence is None else sentence.en
    files = tuple(file.resolve() for file in files_of_checkpoint(path))
    provenance = Provenance("file", path.name, note=note, files=files)
    anatomy = replace(base.anatomy, digest=weights_digest)  # all of it was read
    classes = 0 if fitted.headless else base.classes
    return replace(base, address=address, provenance=provenance, classes=classes, anatomy=anatomy)


def _what_fitted(fitted: Fitted, name: str, architecture: str) -> Text | None:
    """What of the file is not used, and how much of the architecture is not the file's; None: all is."""
    parts = []
    if fitted.headless:
        parts.append(
            text(
                "the file has no head of this architecture, which is drawn anew",
                "文件中没有该架构的分类头，将重新初始化",
            )
        )
    if fitted.left_out:
        shown = ", ".join(fitted.left_out[:5]) + (" …" if len(fitted.left_out) > 5 else "")
        parts.append(text("left out of the file: {x}", "文件中未读取的内容：{x}", x=shown))
    if fitted.stored:
        parts.append(text("stored as {k}, computed in float32", "以 {k} 存储，以 float32 计算", k=fitted.stored))
    if not parts:
        return None
    values = {
        "p": name,
        "s": f"{fitted.share:.1%}",
        "a": architecture,
        "x": join_texts(parts, "; ", "；"),
    }
    return text(
        "{p}: {s} of the weights of {a} come from it; {x}.", "{p}：{a} 的权重有 {s} 来自该文件；{x}。", **values
    )


MODEL_SOURCES.register("file", ModelSource(load, lambda _pattern: []))
