"""`weigh features` serves every medium: the data say which one it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.masks.mask_files import draw, paint, save
from tests.text_models import write_entities, write_reviews, write_similarity
from weigh.cli.main import main


def exported(tmp_path, data, model) -> int:
    return main(["features", str(data), "--models", model, "-o", str(tmp_path / "f"), "-q", "--offline"])


@pytest.mark.parametrize(("write", "file"), [(write_reviews, "reviews.csv"), (write_similarity, "pairs.tsv")])
def test_features_of_texts(tmp_path, tiny_encoder, write, file, capsys):
    data = write(tmp_path / file)
    assert exported(tmp_path, data, tiny_encoder) == 0, capsys.readouterr().err
    (made,) = (tmp_path / "f").glob("*.npz")
    with np.load(made) as kept:
        assert len(kept["features"]) == len(kept["path"]) == len(kept["label"])
        assert kept["features"].ndim == 2


def test_features_of_pictures(tmp_path, tiny, photos):
    assert exported(tmp_path, photos, tiny) == 0
    (made,) = (tmp_path / "f").glob("*.npz")
    with np.load(made) as kept:
        assert set(kept["label"]) == {"circle", "stripe"}
        assert len(kept["features"]) == 48


def test_sentences_have_no_vector_of_their_own(tmp_path, tiny_encoder, capsys):
    assert exported(tmp_path, write_entities(tmp_path / "train.conll"), tiny_encoder) != 0
    assert "feature vector per sentence" in capsys.readouterr().err


def test_nothing_is_read_where_there_is_no_vector(tmp_path, tiny, capsys):
    """Masks are answered from many places of a picture: told before a picture is opened, with tasks that fit."""
    for i in range(4):
        paint(tmp_path / "d" / "images" / f"{i}.png", i)
        save(tmp_path / "d" / "masks" / f"{i}.png", draw(i))
    assert exported(tmp_path, tmp_path / "d", tiny) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "feature vector per picture" in told
    assert "image-classification" in told
    assert not (tmp_path / "f").exists()


def test_several_labels_come_with_their_names(tmp_path, tiny_encoder, capsys):
    rows = "".join(f"the words of text {i},{'a|b' if i % 3 else 'b|c'}\n" for i in range(12))
    (tmp_path / "t.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    arguments = ["features", str(tmp_path / "t.csv"), "--task", "text-classification", "--models", tiny_encoder]
    settings = ["--set", "data.label_separator=|", "-o", str(tmp_path / "f"), "-q", "--offline"]
    assert main([*arguments, *settings]) == 0, capsys.readouterr().err
    (made,) = (tmp_path / "f").glob("*.npz")
    with np.load(made) as kept:
        assert kept["classes"].tolist() == ["a", "b", "c"]
        assert kept["label"].shape == (12, 3)
