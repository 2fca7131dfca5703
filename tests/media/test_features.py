"""`weigh features` serves every medium: the data say which one it is."""

from __future__ import annotations

import numpy as np
import pytest

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
