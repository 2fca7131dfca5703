"""A saved model of texts belongs to everybody: transformers opens its folder, onnxruntime its export, and both say what `predict` says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.arrays import kind_of
from tests.text_models import save_tiny_encoder
from weigh.data.examples import Examples
from weigh.data.texts.new_texts import new_texts
from weigh.heads.network_task import network_task
from weigh.kinds.base import rows_of
from weigh.media import medium_named
from weigh.models.pretrained import load_model, outline_of
from weigh.run import Setting
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.saved.onnx_file import export_onnx
from weigh.train import features
from weigh.train.features import features_of

CLASSES = ("bad", "good", "so so")
TEXTS = [
    "we saw a great film",
    "it was awful",
    "the music and the story then",
    "a",
    "lovely day with people in paris . and",
]
# kind of study -> task, kind of label, classes, pairs, head only
KINDS = {
    "classes": ("text-classification", "label", CLASSES, False, False),
    "probe": ("text-classification", "label", CLASSES, False, True),
    "pairs": ("text-classification", "label", CLASSES, True, False),
    "pairs apart": ("text-classification", "label", CLASSES, True, True),
    "labels": ("text-classification", "labels", CLASSES, False, False),
    "numbers": ("text-regression", "number", (), False, False),
    "entities": ("token-classification", "spans", ("PER", "LOC"), False, False),
}


def save(folder: Path, address: str, kind: str, **options) -> Path:
    """A model with a head of random weights."""
    task, of, classes, pair, frozen = KINDS[kind]
    target = {
        "label": np.zeros(1, np.int64), "labels": np.zeros((1, len(classes)), np.uint8), "number": np.zeros(1),
        "spans": rows_of([()]),
    }[of]  # fmt: skip
    blank, texts = np.array([""]), rows_of([("a", "b") if pair else ("a",)])
    medium = medium_named("sentences" if of == "spans" else "texts")
    examples = Examples(
        Path(),
        np.array(["0"]),
        target,
        classes,
        blank,
        np.arange(1),
        blank,
        rows=texts,
        medium=medium,
        kind=kind_of(target),
    )
    model = load_model(address, pretrained=True, offline=True)
    model.configure(options)
    network = network_task(task).build(model, examples, torch.Generator().manual_seed(0), frozen=frozen)
    with torch.no_grad():
        network.head.weight.mul_(30)  # so that probabilities differ
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    temperature = 1.7 if of in ("label", "labels") else 1.0
    bias = np.array([0.0, 0.8, -0.4]) if of == "label" else np.zeros(len(classes))
    meaning = Meaning(task, kind_of(target), classes, temperature, bias, pair=pair)
    save_model(folder, address=address, weights=weights, meaning=meaning, options=options, frozen=frozen, facts={})
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "one-layer", layers=1)


@pytest.fixture(scope="module")
def folder_of(address, tmp_path_factory):
    made: dict[tuple, Path] = {}

    def make(kind: str, **options) -> Path:
        key = (kind, *options.items())
        if key not in made:
            made[key] = save(tmp_path_factory.mktemp("saved") / "model", address, kind, **options)
        return made[key]

    return make


def given_to(kind: str) -> list[tuple[str, ...]]:
    if kind == "entities":
        return [tuple(text.split()) for text in TEXTS]
    return [(text, TEXTS[-i]) if "pairs" in kind else (text,) for i, text in enumerate(TEXTS, 1)]


@pytest.mark.parametrize("options", [{"pooling": "first"}, {"pooling": "mean"}, {"pooling": "mean", "max_length": 8}])
@pytest.mark.parametrize("kind", ["classes", "probe", "numbers"])
def test_transformers_opens_the_folder_and_answers_alike(folder_of, kind, options):
    """By the library's own doors and four lines of algebra, as the model card writes them."""
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    folder = folder_of(kind, **options)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    vectors = hidden[:, 0] if options["pooling"] == "first" else (hidden * mask).sum(1) / mask.sum(1)
    weights = load_file(folder / "model.safetensors")
    logits = vectors @ weights["weigh_head.weight"].T + weights["weigh_head.bias"]
    rows = load_saved(folder).predict_new(new_texts([(text,) for text in TEXTS]))
    own = json.loads((folder / "config.json").read_text(encoding="utf-8"))["weigh"]
    if kind == "numbers":
        np.testing.assert_allclose(logits[:, 0], [row["value"] for row in rows], atol=1e-5)
        return
    probabilities = torch.softmax(logits / own["temperature"], dim=1).numpy()
    np.testing.assert_allclose(probabilities, [[row[f"p:{c}"] for c in CLASSES] for row in rows], atol=1e-5)
    decided = (torch.log_softmax(logits, dim=1) + torch.tensor(own["bias"])).argmax(dim=1).tolist()
    assert [CLASSES[i] for i in decided] == [row["label"] for row in rows]


@pytest.mark.parametrize("kind", ["probe", "pairs apart"])
def test_several_layers_are_those_of_the_library(tiny_encoder, tmp_path, kind):
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    folder = save(tmp_path / "model", tiny_encoder, kind, layers="several", pooling="mean")
    encoder = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def vectors(texts: list[str]) -> torch.Tensor:
        batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = encoder(**batch, output_hidden_states=True).hidden_states
        mask = batch["attention_mask"][..., None]
        return torch.cat([(states[layer] * mask).sum(1) / mask.sum(1) for layer in (1, 2)], dim=1)  # both of its two

    given = given_to(kind)
    u = vectors([one[0] for one in given])
    if kind == "pairs apart":
        v = vectors([one[1] for one in given])
        u = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
    weights = load_file(folder / "model.safetensors")
    logits = u @ weights["weigh_head.weight"].T + weights["weigh_head.bias"]
    rows = load_saved(folder).predict_new(new_texts(given, pair="pairs" in kind))
    probabilities = torch.softmax(logits / 1.7, dim=1).numpy()
    np.testing.assert_allclose(probabilities, [[row[f"p:{c}"] for c in CLASSES] for row in rows], atol=1e-5)


def test_transformers_finds_every_weight_of_the_encoder(tmp_path, tiny_encoder):
    from transformers import AutoModel

    folder = save(tmp_path / "model", tiny_encoder, "classes")
    opened, told = AutoModel.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, add_pooling_layer=False
    )
    assert not told["missing_keys"]
    assert set(told["unexpected_keys"]) == {"weigh_head.weight", "weigh_head.bias"}
    own = load_model(tiny_encoder, pretrained=True, offline=True).module.model.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in opened.state_dict().items())


def test_a_winner_is_a_model_for_the_next_study(folder_of):
    """`--models hf:studies/mine/model`: the encoder goes on from what the winner learnt."""
    again = load_model(f"hf:{folder_of('classes').resolve()}", pretrained=True, offline=True)
    assert again.reads == "texts"
    assert again.preprocessing.size == 64


@pytest.mark.parametrize("kind", ["classes", "pairs apart"])  # of the others, five seconds each: once by hand
def test_onnx_answers_like_predict(folder_of, tmp_path, kind):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    from tokenizers import Tokenizer

    folder, target = folder_of(kind), tmp_path / "winner.onnx"
    assert export_onnx(folder, target) < 1e-4
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    facts = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    saved, texts = load_saved(folder), given_to(kind)
    rows = saved.predict_new(new_texts(texts, pair="pairs" in kind, tokens=kind == "entities"))
    assert facts["classes"] == list(saved.meaning.classes)
    assert facts["temperature"] == saved.meaning.temperature
    assert facts["decision"] == ("threshold" if saved.meaning.kind.exclusive else "argmax")
    assert facts["preprocessing"]["size"] == 64
    # from here on nothing of ours: the tokenizer that lies beside the file, and the runtime
    tokenizer = Tokenizer.from_file(str(tmp_path / facts["tokenizer"]))
    tokenizer.enable_padding(pad_id=facts["preprocessing"]["pad"])
    apart = kind == "pairs apart"
    rest = [""] * len(texts) if not apart else [pair[1] for pair in texts]
    told = [t if kind == "entities" else t[0] if len(t) == 1 or apart else t for t in texts]
    inputs = plain(tokenizer, [*told, *rest] if apart else told, pretokenised=kind == "entities")
    if apart:
        n = len(texts)
        inputs = {name: value[:n] for name, value in inputs.items()} | {
            f"{name}_2": value[n:] for name, value in inputs.items()
        }
    assert [i.name for i in session.get_inputs()] == list(inputs)
    answers = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))
    if kind == "numbers":
        np.testing.assert_allclose(answers["value"], [row["value"] for row in rows], atol=1e-5)
    elif kind == "entities":
        assert answers["logits"].shape[2] == 1 + 2 * len(facts["classes"])
    else:
        expected = [[row[f"p:{name}"] for name in CLASSES] for row in rows]
        np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
        labels = answers["label"]
        said = (
            ["|".join(c for c, on in zip(CLASSES, row, strict=True) if on) for row in labels]
            if kind == "labels"
            else [CLASSES[i] for i in labels]
        )
        assert said == [row["label"] for row in rows]


def plain(tokenizer, texts: list, *, pretokenised: bool) -> dict[str, np.ndarray]:
    encoded = tokenizer.encode_batch([list(t) if pretokenised else t for t in texts], is_pretokenized=pretokenised)
    return {
        "input_ids": np.array([e.ids for e in encoded]),
        "attention_mask": np.array([e.attention_mask for e in encoded]),
        "token_type_ids": np.array([e.type_ids for e in encoded]),
    }


def test_to_save_a_model_only_its_outline_is_built(address):
    outline, whole = outline_of(address), load_model(address, pretrained=False, offline=True)
    assert all(tensor.is_meta for tensor in outline.module.parameters())
    assert not any(tensor.is_meta for tensor in whole.module.parameters())
    assert (outline.built, outline.settings, outline.extra) == (whole.built, whole.settings, whole.extra)
    assert outline.preprocessing == whole.preprocessing


def test_a_model_of_texts_whose_features_are_there_is_loaded_once_in_a_process(address, tmp_path, monkeypatch):
    texts = rows_of([(text,) for text in TEXTS])
    content = np.array([str(i) for i in range(len(TEXTS))])
    examples = Examples(
        Path(), content, np.arange(len(TEXTS)) % 3, CLASSES, content, np.arange(len(TEXTS)), content, rows=texts,
        medium=medium_named("texts"), kind=kind_of(np.zeros(1, np.int64)), fingerprint=str(tmp_path),
    )  # fmt: skip
    model = load_model(address, pretrained=True, offline=True)
    known = {**model.known(), "seconds_per_picture": 0.25}
    setting = Setting("text-classification", CLASSES, "accuracy", offline=True, cache=tmp_path, weights=model.identity)
    study = replace(setting, model=known)
    first = features_of(address, examples, study)
    monkeypatch.setattr(features, "load_model", None)  # loading would fail
    again = features_of(address, examples, study)
    np.testing.assert_array_equal(again.features, first.features)
    assert (again.model, again.key) == (first.model, first.key)
    for other in (replace(study, weights="others"), replace(study, task="text-regression")):
        with pytest.raises(TypeError):
            features_of(address, examples, other)
