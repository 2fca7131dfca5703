"""Files that were cut, mixed up or filled with anything: either boxes or an error in words, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.boxes.box_files import LAYOUTS, read
from weigh.data.recognition.tasks import recognise_task
from weigh.errors import WeighError

TOKENS = [b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'"', b"<", b">", b"&x;", b"\x00", b"\xff\xfe", b"\n\n", b",", b"\t", b"0", b"999999999999999999999", b"../..", b"\xe7\x8c\xab", b"'", b" ", b":", b"true"]  # fmt: skip
LABELS = {"COCO": "*.json", "VOC": "Annotations/*.xml", "YOLO": "**/*[lt]", "CSV": "*.csv"}


def _broken(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 6))):
        a, b = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        b = min(b, a + int(rng.integers(0, 30)))
        token = TOKENS[int(rng.integers(len(TOKENS)))]
        content = [
            content[:a] + token + content[b:],
            content[:a] + content[b:],
            content[:b],
            content[:b] + content[a:],
        ][int(rng.integers(4))]
    return content


@pytest.mark.parametrize("layout", LAYOUTS)
def test_broken_files_end_in_words(tmp_path, layout):
    rng = np.random.default_rng(sum(map(ord, layout)))
    source = LAYOUTS[layout](tmp_path)
    files = sorted(f for f in tmp_path.glob(LABELS[layout]) if f.is_file() and f.suffix not in (".png", ""))
    whole = {file: file.read_bytes() for file in files}
    outcomes = []
    for _ in range(60):
        file = files[int(rng.integers(len(files)))]
        file.write_bytes(_broken(whole[file], rng))
        recognise_task(source)
        try:
            examples, _ = read(source)
            outcomes.append(len(examples))
        except WeighError:
            outcomes.append(0)
        file.write_bytes(whole[file])
    assert len(set(outcomes)) > 1 or layout == "YOLO"
    assert read(source)[0].classes == ("cat", "dog", "bird") or layout in ("VOC", "CSV")
