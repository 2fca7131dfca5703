"""A model of texts of the transformers library: any encoder that `AutoModel` knows, with its tokenizer and its pooling.

How vectors are pooled comes from the model where it says so (sentence encoders), else by family: the first token where pretraining
trained it for whole texts, the mean elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from weigh.files import read_json, stamps
from weigh.models.encoder import Encoder
from weigh.models.tokenisation import Tokenisation

__all__ = ["settings_of_texts", "text_encoder", "tokenisation"]

LONGEST = 512  # tokens, unless the model says less; attention costs the square of it
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
WITHOUT_POOLER = FIRST_TOKEN - {"distilbert", "electra", "deberta", "deberta-v2"}
ATTENTION_DROPOUT = {"attention_probs_dropout_prob", "attention_dropout"}
MOST_READ = 8
_READ: dict[tuple[str, str, str], Tokenisation] = {}
PREFIXES = {"intfloat/multilingual-e5": "query: ", "intfloat/e5": "query: "}


def settings_of_texts(config: Any) -> dict[str, Any]:
    """The settings that the module is built with: no pooling layer; and no dropout in attention, which costs a random number for each pair of tokens."""
    for name in ATTENTION_DROPOUT & vars(config).keys():
        setattr(config, name, 0.0)
    return {"add_pooling_layer": False} if config.model_type in WITHOUT_POOLER else {}


def text_encoder(module: nn.Module, config: Any, preparation: Tokenisation, folder: Path | None) -> Encoder:
    """The module as a body; without a folder, pooled by the mean."""
    pooling = "mean" if folder is None else _pooling(folder, config)
    return Encoder(module, width=int(config.hidden_size), pooling=pooling, segments=preparation.segments)


def tokenisation(folder: Path, config: Any, name: str) -> Tokenisation:
    """As the files of the folder say; read once in a process while they stay the same: a vocabulary of 250,000 words takes seconds."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix != ".safetensors")
    key = (name, json.dumps(stamps(files)), config.to_json_string())
    if key not in _READ:
        while len(_READ) >= MOST_READ:
            del _READ[next(iter(_READ))]
        _READ[key] = _read_tokenisation(folder, config, name)
    return _READ[key]


def _read_tokenisation(folder: Path, config: Any, name: str) -> Tokenisation:
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
    declared = made.model_max_length if made.model_max_length and made.model_max_length < 10**6 else positions
    return Tokenisation(
        written=backend.to_str(),
        size=int(min(positions, declared, LONGEST)),
        pad=int(made.pad_token_id or 0),
        unknown=-1 if made.unk_token_id is None else int(made.unk_token_id),
        segments=int(getattr(config, "type_vocab_size", 0) or 0) > 1,
        prefix=next((prefix for start, prefix in PREFIXES.items() if name.startswith(start)), ""),
    )


def _pooling(folder: Path, config: Any) -> str:
    file = folder / "1_Pooling" / "config.json"
    if file.is_file():
        pooling = read_json(file)
        return "first" if isinstance(pooling, dict) and pooling.get("pooling_mode_cls_token") else "mean"
    return "first" if config.model_type in FIRST_TOKEN else "mean"
