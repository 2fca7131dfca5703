"""The folder of a model of the transformers library: configuration, tokenizer, weights; from the hub, a package or the user's disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.catalogue import PackagedWeights
from weigh.models.hub import Fetched, fetch_from_hub, unreachable
from weigh.models.pretrained import Provenance

__all__ = ["digest_of_configuration", "files_of", "find_folder"]

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentence_bert_config.json",
         "1_Pooling/config.json", "preprocessor_config.json")  # fmt: skip
CONFIGURATION = ("config.json", "1_Pooling/config.json")


def find_folder(
    address: Address, packaged: PackagedWeights | None, *, pretrained: bool, offline: bool
) -> tuple[Path, Provenance]:
    """A local folder with configuration, tokenizer and, if they are needed, weights."""
    local = Path(address.name).expanduser()
    if address.name.startswith((".", "/", "~")):
        if not (local / "config.json").is_file():
            raise ModelError(
                text(
                    "{p} is not a model folder: it has no config.json.",
                    "{p} 不是模型文件夹：缺少 config.json。",
                    p=local,
                ),
                do=text(
                    "Save one with model.save_pretrained and tokenizer.save_pretrained.",
                    "请用 model.save_pretrained 和 tokenizer.save_pretrained 保存。",
                ),
            )
        odd = [entry.name for entry in local.iterdir() if not (entry.is_file() or entry.is_dir())]
        if odd:  # a pipe would be waited for
            raise ModelError(
                text("{p} holds something that is no file: {o}.", "{p} 中有不是文件的内容：{o}。", p=local, o=odd[0]),
                do=text("Remove it.", "请将其移除。"),
            )
        return local, Provenance("file", local.name)
    if packaged is not None and (path := packaged.locate()) is not None:
        from weigh.models.packaged_texts import unpack

        return unpack(packaged, path), Provenance(
            "package", f"{packaged.package} {packaged.version()}", packaged.licence
        )
    needed = ("config.json", "model.safetensors") if pretrained else ("config.json",)
    found = Fetched(None, text("nothing", "无"))
    for name in needed:
        found = fetch_from_hub(address.name, (name,), offline=offline)
        if found.path is None:
            raise unreachable(address.written, found.tried, offline=offline, packaged=packaged)
    assert found.path is not None
    for name in FILES:  # whichever of them the model has
        fetch_from_hub(address.name, (name,), offline=offline)
    return found.path.parent, Provenance("hub", address.name)


def files_of(folder: Path, *, pretrained: bool) -> tuple[Path, ...]:
    """Those of a model's folder that are read."""
    weights = sorted(folder.glob("*.safetensors*")) if pretrained else []
    return tuple(
        path for path in (folder / "config.json", *weights, *(folder / name for name in FILES)) if path.is_file()
    )


def digest_of_configuration(folder: Path) -> str:
    """Hash of what says how the weights are used: layers, and how vectors are pooled."""
    digest = hashlib.blake2b(digest_size=16)
    for name in CONFIGURATION:
        if (folder / name).is_file():
            digest.update(name.encode() + b"\x1f" + (folder / name).read_bytes())
    return digest.hexdigest()
