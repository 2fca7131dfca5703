"""A language model of random weights for tests, and texts that it can learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

GOOD = ["great", "lovely", "fine", "warm", "bright", "sweet"]
BAD = ["awful", "nasty", "dull", "cold", "grim", "sour"]
PLAIN = [
    "the",
    "a",
    "film",
    "story",
    "day",
    "play",
    "we",
    "saw",
    "it",
    "was",
    "and",
    "then",
    "with",
    "some",
    "people",
    "music",
]
NAMES = ["anna", "boris", "clara", "paris", "london", "rome"]
WORDS = [*GOOD, *BAD, *PLAIN, *NAMES]


def save_tiny_encoder(folder: Path, *, hidden: int = 32, layers: int = 2, seed: int = 0) -> str:
    """The address of a BERT of two layers whose vocabulary is `WORDS` and letters."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *letters,
        *(f"##{c}" for c in letters),
        ".",
        ",",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(vocabulary)}, model_max_length=64)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"hf:{folder}"


def sentences(n: int, words: list[list[str]], seed: int = 0) -> list[tuple[str, int]]:
    """`n` sentences of plain words, each with one or two of the words of its class."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        kind = i % len(words)
        body = [*rng.choice(PLAIN, rng.integers(3, 9)), *rng.choice(words[kind], rng.integers(1, 3))]
        found.append((" ".join(rng.permutation(body)), kind))
    return found


def write_reviews(path: Path, n: int = 120, seed: int = 0) -> Path:
    """A table of texts and labels: good and bad."""
    rows = [f"{text},{('bad', 'good')[kind]}" for text, kind in sentences(n, [BAD, GOOD], seed)]
    path.write_text("\n".join(["text,label", *dict.fromkeys(rows)]) + "\n", encoding="utf-8")
    return path


def write_similarity(path: Path, n: int = 120, seed: int = 0) -> Path:
    """Pairs whose similarity is the share of words that they have in common, from 0 to 5."""
    rng = np.random.default_rng(seed)
    rows = ["sentence1\tsentence2\tscore"]
    for _ in range(n):
        first, common = rng.permutation(WORDS)[:6], int(rng.integers(0, 7))
        other = [word for word in rng.permutation(WORDS) if word not in first][: 6 - common]
        rows.append(f"{' '.join(first)}\t{' '.join([*first[:common], *other])}\t{5 * common / 6:.3f}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_entities(path: Path, n: int = 80, seed: int = 0) -> Path:
    """CoNLL columns: three persons and three places among plain words."""
    rng = np.random.default_rng(seed)
    blocks = []
    for _ in range(n):
        words = [*rng.choice(PLAIN, rng.integers(3, 8)), *rng.choice(NAMES, rng.integers(1, 3), replace=False)]
        tags = {**dict.fromkeys(NAMES[:3], "B-PER"), **dict.fromkeys(NAMES[3:], "B-LOC")}
        blocks.append("\n".join(f"{word}\t{tags.get(word, 'O')}" for word in rng.permutation(words)))
    path.write_text("\n\n".join(dict.fromkeys(blocks)) + "\n", encoding="utf-8")
    return path
