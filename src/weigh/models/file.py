"""Local checkpoints on a named architecture: `file:PATH@timm:NAME`. Safetensors, or pickles read with weights only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import weights_digest
from weigh.models.checkpoint import fit, read_checkpoint
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance, load_from_source
from weigh.notices import notice

__all__ = ["load"]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`. The head may be absent or have another number of classes; everything else must fit."""
    path = Path(address.path or "").expanduser()
    base = load_from_source(address.architecture, pretrained=False, offline=offline)
    if not pretrained:
        return replace(base, address=address)
    fitted = fit(
        read_checkpoint(path),
        base.module.state_dict(),
        head=base.anatomy.head(base.module),
        beside=base.anatomy.beside,
        path=path,
        architecture=address.architecture,
    )
    base.module.load_state_dict(fitted.state)
    note = ""
    if fitted.left_out:
        shown = ", ".join(fitted.left_out[:5]) + (" …" if len(fitted.left_out) > 5 else "")
        notice(text("{p}: left out beside the weights: {x}.", "{p}：权重之外的内容未读取：{x}。", p=path.name, x=shown))
        note = f"left out of the file: {shown}"
    if fitted.headless:
        note = "; ".join(filter(None, [note, "the file has no head of this architecture"]))
    provenance = Provenance("file", path.name, note=note, files=(path.resolve(),))
    anatomy = replace(base.anatomy, digest=weights_digest)  # all of it was read
    classes = 0 if fitted.headless else base.classes
    return replace(base, address=address, provenance=provenance, classes=classes, anatomy=anatomy)


MODEL_SOURCES.register("file", ModelSource(load, lambda _pattern: []))
