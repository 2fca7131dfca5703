"""Pictures made for tests, in folders and tables, and read again."""

from __future__ import annotations

import numpy as np
from PIL import Image

from weigh.data.pictures.index import read_images
from weigh.spec import DataSpec

__all__ = ["folder", "paint", "read", "table"]


def paint(path, seed=0, size=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)
    return path


def folder(root, files):
    for seed, name in enumerate(files):
        paint(root / name, seed)
    return root


def read(train, **options):
    examples, problems = read_images(DataSpec(train=str(train), **options), offline=True)
    assert len(set(examples.path.tolist())) == len(examples)
    assert (examples.content != "").all()
    assert all((examples.root / p).is_file() for p in examples.path)
    for p in problems:
        assert p.sentence.zh != p.sentence.en
    return examples, {p.kind: p for p in problems}


def table(root, text, name="t.csv", encoding="utf-8"):
    (root / name).write_bytes(text.encode(encoding))
    return root / name
