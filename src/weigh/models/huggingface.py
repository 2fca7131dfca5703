"""Encoders of the transformers library: `hf:OWNER/NAME` of the model hub, or `hf:./folder`.

Any encoder that `AutoModel` knows. Weights are read from safetensors; code of a repository is never run. How vectors are pooled comes
from the model where it says so (sentence encoders), else by family: the first token where pretraining trained it for whole
texts, the mean elsewhere. Offline, packages of the catalogue answer to their hub names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from weigh.errors import MissingExtra, ModelError, WeighError, reason_of
from weigh.files import read_json
from weigh.language import text
from weigh.models.address import Address, parse_address
from weigh.models.catalogue import CATALOGUE, PackagedWeights, find_packaged
from weigh.models.encoder import Encoder
from weigh.models.hub import Fetched, cached_from_hub, fetch_from_hub, unreachable
from weigh.models.limits import check_settings, check_size
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.tokenisation import Tokenisation

__all__ = ["load", "names", "rebuild"]

LONGEST = 512  # tokens, unless the model says less; attention costs the square of it
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentence_bert_config.json",
         "1_Pooling/config.json")  # fmt: skip
CONFIGURATION = ("config.json", "1_Pooling/config.json")
FIRST_TOKEN = {
    "bert",
    "roberta",
    "xlm-roberta",
    "electra",
    "deberta",
    "deberta-v2",
    "distilbert",
    "albert",
    "camembert",
}
ATTENTION_DROPOUT = {"attention_probs_dropout_prob", "attention_dropout"}
PREFIXES = {"intfloat/multilingual-e5": "query: ", "intfloat/e5": "query: "}


def names(pattern: str) -> list[str]:
    """Names of the catalogue, the local cache's encoders being unknown until they are asked for."""
    import fnmatch

    known = [entry.address.partition(":")[2] for entry in CATALOGUE if entry.address.startswith("hf:")]
    return [name for name in known if fnmatch.fnmatchcase(name, pattern)]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers", text("Models of texts", "文本模型"), "text") from None
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    packaged = find_packaged(address.written)
    folder, provenance = _folder(address, packaged, pretrained=pretrained, offline=offline)
    check_settings(address.written, read_json(folder / "config.json"))
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        module = _module(folder, config, pretrained=pretrained)
        preparation = _tokenisation(folder, config, address.name)
    except WeighError:
        raise
    except Exception as error:  # a library that reads a stranger's settings raises almost anything
        raise ModelError(
            text(
                "{a} cannot be used: {e}",
                "无法使用 {a}：{e}",
                a=address.written,
                e=reason_of(error, 300),
            ),
            text(
                "Encoders with safetensors and a fast tokenizer are read; code of a repository is never run.",
                "支持带 safetensors 和快速分词器的编码器；绝不运行仓库中的代码。",
            ),
        ) from None
    encoder = Encoder(
        module, width=int(config.hidden_size), pooling=_pooling(folder, config), segments=preparation.segments
    )
    files = _files(folder, pretrained=pretrained)
    provenance = replace(provenance, files=files) if pretrained else Provenance("random", files=files)
    extra = {
        "config": json.loads(config.to_json_string(use_diff=False)),
        "configured_by": _digest_of_configuration(folder),
    }
    return Pretrained(address, encoder, preparation, provenance, 0, extra)


def _files(folder: Path, *, pretrained: bool) -> tuple[Path, ...]:
    """Those of a model's folder that are read."""
    weights = sorted(folder.glob("*.safetensors*")) if pretrained else []
    return tuple(
        path for path in (folder / "config.json", *weights, *(folder / name for name in FILES)) if path.is_file()
    )


def _digest_of_configuration(folder: Path) -> str:
    """Hash of what says how the weights are used: layers, and how vectors are pooled."""
    digest = hashlib.blake2b(digest_size=16)
    for name in CONFIGURATION:
        if (folder / name).is_file():
            digest.update(name.encode() + b"\x1f" + (folder / name).read_bytes())
    return digest.hexdigest()


def rebuild(address: str, config: dict[str, Any], preparation: Tokenisation) -> Pretrained:
    """A saved model's encoder with random weights, from its configuration alone (`Pretrained.extra["config"]`)."""
    import transformers

    check_settings(address, config)
    made = transformers.AutoConfig.for_model(**config)
    module = _module(Path(), made, pretrained=False)
    encoder = Encoder(module, width=int(made.hidden_size), segments=preparation.segments)
    return Pretrained(parse_address(address), encoder, preparation, Provenance("random"), 0)


def _folder(
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


def _module(folder: Path, config: Any, *, pretrained: bool) -> torch.nn.Module:
    """The encoder without pooling layer or language-model head, in float32."""
    import transformers

    for name in (
        ATTENTION_DROPOUT & vars(config).keys()
    ):  # what is dropped in attention costs a random number for each pair of tokens
        setattr(config, name, 0.0)
    plain: dict[str, Any] = (
        {}
        if config.model_type not in FIRST_TOKEN - {"distilbert", "electra", "deberta", "deberta-v2"}
        else {"add_pooling_layer": False}
    )
    family = transformers.AutoModel._model_mapping[type(config)]
    # Said here, since a configuration may name a kernel that would be fetched from the hub and run.
    plain["attn_implementation"] = "sdpa" if getattr(family, "_supports_sdpa", False) else "eager"
    with torch.device("meta"):  # takes no memory
        outline = transformers.AutoModel.from_config(config, trust_remote_code=False, **plain)
    check_size(folder, sum(p.numel() for p in outline.parameters()), pretrained=pretrained)
    if not pretrained:
        return transformers.AutoModel.from_config(config, trust_remote_code=False, **plain).float()
    return transformers.AutoModel.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        **plain,
    )


def _tokenisation(folder: Path, config: Any, name: str) -> Tokenisation:
    import transformers

    made = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    backend = getattr(made, "backend_tokenizer", None)
    if backend is None:
        raise ValueError("its tokenizer has no fast form")
    backend.no_truncation()
    backend.no_padding()
    positions = getattr(config, "max_position_embeddings", None) or LONGEST
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2  # their positions count from the padding token on
    said = made.model_max_length if made.model_max_length and made.model_max_length < 10**6 else positions
    return Tokenisation(
        written=backend.to_str(),
        size=int(min(positions, said, LONGEST)),
        pad=int(made.pad_token_id or 0),
        unknown=-1 if made.unk_token_id is None else int(made.unk_token_id),
        segments=int(getattr(config, "type_vocab_size", 0) or 0) > 1,
        prefix=next((prefix for start, prefix in PREFIXES.items() if name.startswith(start)), ""),
    )


def _pooling(folder: Path, config: Any) -> str:
    said = folder / "1_Pooling" / "config.json"
    if said.is_file():
        how = read_json(said)
        return "first" if isinstance(how, dict) and how.get("pooling_mode_cls_token") else "mean"
    return "first" if config.model_type in FIRST_TOKEN else "mean"


def _cached(name: str) -> bool:
    return cached_from_hub(name, ("model.safetensors",)) is not None


MODEL_SOURCES.register("hf", ModelSource(load, names, _cached))
