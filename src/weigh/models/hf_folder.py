"""The folder of a model of the transformers library: configuration, tokenizer, weights; from the hub, a package or the user's disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from yaml import YAMLError

from weigh.errors import DataError, ModelError, WeighError, WeightsUnreachable
from weigh.files import read_file, read_json
from weigh.language import text
from weigh.models.address import Address
from weigh.models.catalogue import PackagedWeights
from weigh.models.hub import Fetched, cached_from_hub, commit_of, fetch_from_hub, named, unreachable
from weigh.models.pretrained import Provenance
from weigh.settings import user_path
from weigh.yaml_loader import load_yaml

__all__ = ["WEIGHTS", "digest_of_configuration", "files_of", "find_folder", "licence_of", "settings_of"]

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentence_bert_config.json",
         "1_Pooling/config.json", "preprocessor_config.json", "processor_config.json")  # fmt: skip
CONFIGURATION = ("config.json", "1_Pooling/config.json")
INDEX = "model.safetensors.index.json"  # of weights in several files
WEIGHTS = ("model.safetensors", INDEX)
CARD, LICENCES = "README.md", ("LICENSE", "LICENSE.md", "LICENSE.txt")
MOST_PARTS = 1_000  # files of weights


def find_folder(
    address: Address, packaged: PackagedWeights | None, *, pretrained: bool, offline: bool
) -> tuple[Path, Provenance]:
    """A local folder with configuration, tokenizer and, if they are needed, weights."""
    local = user_path(address.name)
    if address.name.startswith((".", "/", "~")):
        _check_folder(local)
        return local, Provenance("file", local.name, licence_of(local))
    packed = None if packaged is None or address.revision is not None else packaged
    if packed is not None and packed.same and (unpacked := _from_package(packed)) is not None:
        return unpacked
    try:
        folder = _from_hub(address, packaged, pretrained=pretrained, offline=offline)
    except WeightsUnreachable as error:
        if packed is not None and (unpacked := _from_package(packed)) is not None:
            return unpacked
        if (local / "config.json").is_file():
            here = text(
                "A folder here is called so. To use it: hf:./{n}",
                "本地有同名文件夹。若要使用它：hf:./{n}",
                n=address.name,
            )
            raise WeightsUnreachable(error.what, error.why, here) from None
        raise
    return folder, Provenance("hub", named(address.name, folder / "config.json"), licence_of(folder))


def _from_package(packaged: PackagedWeights) -> tuple[Path, Provenance] | None:
    """The folder of an installed package; None where it is not installed."""
    path = packaged.locate()
    if path is None:
        return None
    from weigh.models.packaged_texts import unpack

    name = f"{packaged.package} {packaged.version()}"
    return unpack(packaged, path), Provenance("package", name, packaged.licence, packaged.note)


def _check_folder(local: Path) -> None:
    if not (local / "config.json").is_file():
        do = text(
            "Save one with model.save_pretrained and tokenizer.save_pretrained (of pictures: image_processor.save_pretrained).",
            "请用 model.save_pretrained 和 tokenizer.save_pretrained 保存（图像模型用 image_processor.save_pretrained）。",
        )
        if (local / "open_clip_config.json").is_file():
            do = text(
                "It is a model of open_clip: give its weights to the tower of timm: file:{p}@timm:NAME; `weigh models 'timm:*clip*'` lists the names.",
                "这是 open_clip 的模型：请把权重交给 timm 的图像塔：file:{p}@timm:名称；`weigh models 'timm:*clip*'` 会列出名称。",
                p=local / "open_clip_model.safetensors",
            )
        if (local / "saved_model.pb").is_file():
            do = text("It is a SavedModel of TensorFlow: tf:{p}", "这是 TensorFlow 的 SavedModel：tf:{p}", p=local)
        raise ModelError(
            text(
                "{p} is not a model folder: it has no config.json.", "{p} 不是模型文件夹：缺少 config.json。", p=local
            ),
            do=do,
        )
    odd = [entry.name for entry in local.iterdir() if not (entry.is_file() or entry.is_dir())]
    if odd:  # a pipe would be waited for
        raise ModelError(
            text("{p} holds something that is no file: {o}.", "{p} 中有不是文件的内容：{o}。", p=local, o=odd[0]),
            do=text("Remove it.", "请将其移除。"),
        )


def _from_hub(address: Address, packaged: PackagedWeights | None, *, pretrained: bool, offline: bool) -> Path:
    """All files are of one commit: a branch may move between two downloads."""

    def fetch(names: tuple[str, ...], revision: str | None, *, again: bool = False) -> Path:
        fetched: Fetched = fetch_from_hub(address.name, names, offline=offline, revision=revision, again=again)
        if fetched.path is None:
            raise unreachable(address.written, fetched.refusal, offline=offline, packaged=packaged)
        return fetched.path

    needed = (("config.json",), WEIGHTS) if pretrained else (("config.json",),)
    complete = all(cached_from_hub(address.name, names, address.revision) for names in needed)
    config = fetch(needed[0], address.revision, again=not complete)
    commit = commit_of(config) or address.revision
    if pretrained and (weights := fetch(WEIGHTS, commit)).name == INDEX:
        for name in _parts(weights):
            fetch((name,), commit)
    for name in (*FILES, CARD, *LICENCES[:1]):  # whichever of them the model has
        fetch_from_hub(address.name, (name,), offline=offline, revision=commit, needed=False)
    return config.parent


def _parts(index: Path) -> list[str]:
    """Names of the files of weights.

    Raises:
        ModelError: It names something else.
    """
    places = read_json(index)
    places = places.get("weight_map") if isinstance(places, dict) else None
    names = sorted(set(map(str, places.values()))) if isinstance(places, dict) else []
    if not names or len(names) > MOST_PARTS or any("/" in n or not n.endswith(".safetensors") for n in names):
        raise ModelError(
            text("{p} does not say which files hold the weights.", "{p} 没有说明权重在哪些文件中。", p=index),
            do=text("Choose another model, or another revision of it.", "请换用其他模型或其他版本。"),
        )
    return names


def settings_of(folder: Path, provenance: Provenance) -> Any:
    """What config.json holds."""
    try:
        return read_json(folder / "config.json")
    except DataError as error:
        if provenance.source != "hub":
            raise
        do = text(
            "It is so on the hub ({n}). Choose another revision (hf:OWNER/NAME@REVISION), or another model.",
            "模型库上的文件（{n}）即是如此。请换用其他版本（hf:所有者/名称@版本）或其他模型。",
            n=provenance.name,
        )
        raise ModelError(error.what, error.why, do) from None


def licence_of(folder: Path) -> str:
    """What the card of a model says of its licence, or the first line of its file; "" where nothing does."""
    card = _head_of_card(folder / CARD)
    licence = card.get("license")
    if licence == "other":
        licence = card.get("license_name") or licence
    for name in LICENCES if not isinstance(licence, str) else ():
        if (folder / name).is_file():
            lines = (line.strip("# \t") for line in read_file(folder / name).decode("utf-8", "replace").splitlines())
            licence = next((line[:80] for line in lines if line), "")
            break
    words = [licence] if isinstance(licence, str) and licence.isprintable() else []
    return ", ".join([*words, *(["gated"] if any(str(key).startswith("extra_gated") for key in card) else [])])


def _head_of_card(path: Path) -> dict[str, Any]:
    try:
        written = read_file(path).decode("utf-8", "replace") if path.is_file() else ""
        head = load_yaml(written.split("\n---", 1)[0][4:20_000]) if written.startswith("---\n") else None
    except (WeighError, YAMLError, ValueError, RecursionError):
        return {}
    return head if isinstance(head, dict) else {}


def files_of(folder: Path, *, pretrained: bool) -> tuple[Path, ...]:
    """The files of a model's folder that are read."""
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
