"""Only the vectors of tokens that occur are trained: the numbers stay the same, and memory does not grow with vocabulary or length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.arrays import kind_of
from tests.text_models import BAD, GOOD, NAMES, save_tiny_encoder, sentences
from weigh.data.examples import Examples
from weigh.heads.network_task import network_task
from weigh.kinds.base import rows_of
from weigh.media import medium_named
from weigh.models.encoder import Encoder
from weigh.models.pretrained import load_model
from weigh.run import Run, Setting, recipe_options
from weigh.spec import RecipeSpec
from weigh.tasks import TASKS
from weigh.train import network as training
from weigh.train.loop import Loop
from weigh.train.vocabulary import shorten_vocabulary

SETTING = Setting("text-classification", ("bad", "good"), "balanced_accuracy", threads=1, offline=True)
SEEDS = {"init": 0, "order": 0, "augmentation": 0, "split": 0}


def examples_of(task: str) -> Examples:
    texts = [text for text, _ in sentences(40, [GOOD, BAD])]
    n, blank = len(texts), np.array(["train"] * len(texts))
    target = {
        "text-classification": np.arange(n) % 2, "text-regression": np.arange(n) / 7,
        "token-classification": rows_of([((0, 1, i % 2),) for i in range(n)]),
    }[task]  # fmt: skip
    pairs = (
        [(text, texts[-1 - i]) for i, text in enumerate(texts)] if task == "text-regression" else [(t,) for t in texts]
    )
    rows = rows_of([tuple(t.split()) for t in texts] if task.startswith("token") else pairs)
    medium = medium_named(TASKS.get(task).medium)
    classes = () if task == "text-regression" else ("bad", "good")
    return Examples(
        Path(),
        np.arange(n).astype(str),
        target,
        classes,
        blank,
        np.arange(n),
        blank,
        rows=rows,
        medium=medium,
        kind=kind_of(target),
    )


def fitted(address: str, task: str, recipe: str, monkeypatch, *, whole: bool, **options):
    if whole:
        monkeypatch.setattr(training, "shorten_vocabulary", lambda *_: None)
    options = recipe_options(RecipeSpec(name=recipe, epochs=2, batch_size=8, learning_rate=1e-3, **options), task)
    run = Run(
        "k", "c", address, recipe, options, "main", "", 1, 0, np.arange(30), np.arange(30, 40), SEEDS, keep_weights=True
    )
    primary = {"text-regression": "pearson", "token-classification": "entity_f1"}.get(task, "balanced_accuracy")
    (outcome,) = training.fit([run], replace(SETTING, task=task, primary=primary), examples_of(task))
    monkeypatch.undo()
    assert outcome.status == "done", outcome.cause
    return outcome


@pytest.mark.parametrize(
    ("task", "recipe", "options"),
    [
        ("text-classification", "finetune", {"average": 2}),
        ("text-classification", "scratch", {}),
        ("text-regression", "lp-ft", {"pooling": "mean"}),
        ("token-classification", "finetune", {}),
    ],
)
def test_the_numbers_are_those_of_the_whole_table(tiny_encoder, monkeypatch, task, recipe, options):
    short = fitted(tiny_encoder, task, recipe, monkeypatch, whole=False, **options)
    whole = fitted(tiny_encoder, task, recipe, monkeypatch, whole=True, **options)
    np.testing.assert_allclose(short.answers, whole.answers, rtol=0, atol=1e-6)
    assert short.facts["n_parameters"] == whole.facts["n_parameters"]
    assert short.weights.keys() == whole.weights.keys()
    name = next(n for n in short.weights if n.endswith("word_embeddings.weight"))
    assert short.weights[name].shape == whole.weights[name].shape
    occurring = np.abs(short.weights[name] - whole.weights[name]).max(axis=1)
    assert occurring.max() < 1e-4  # weight decay alone moved what does not occur


def test_words_that_never_occur_keep_their_vectors_and_can_be_predicted(tiny_encoder, monkeypatch):
    outcome = fitted(tiny_encoder, "text-classification", "finetune", monkeypatch, whole=False)
    model = load_model(tiny_encoder, pretrained=True, offline=True)
    name = next(n for n in outcome.weights if n.endswith("word_embeddings.weight"))
    before, after = model.module.table.detach().numpy(), outcome.weights[name]
    ids = [model.preprocessing.tokenizer.token_to_id(word) for word in NAMES]
    assert np.array_equal(before[ids], after[ids])
    moved = model.preprocessing.tokenizer.token_to_id("film")
    assert not np.array_equal(before[moved], after[moved])


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_training_holds_the_rows_of_tokens_that_occur(tiny_encoder, task):
    examples, at = examples_of(task), network_task(task)
    model = load_model(tiny_encoder, pretrained=True, offline=True)
    inputs = at.inputs(examples, model.configure({}), SETTING, {})
    network = at.build(model, examples)
    batch, table = inputs.batch(np.arange(4)).inputs, network.body.table
    before = network(batch)
    shortened = shorten_vocabulary(network, at.feed.tokens(inputs))
    occurring = {int(i) for rows in inputs.rows for row in rows for i in row[0]} | {inputs.pad}
    assert len(network.body.table) == len(occurring) < len(table)
    assert torch.equal(network(batch), before)
    network(batch).sum().backward()
    assert table.grad is None
    shortened.restore()
    assert network.body.table is table
    assert torch.equal(network(batch), before)


@pytest.mark.parametrize("task", ["text-classification", "text-regression", "token-classification"])
@pytest.mark.parametrize("at_a_time", [10_000, 100, 30])
def test_long_texts_pass_in_parts_with_the_same_gradient(tmp_path, monkeypatch, at_a_time, task):
    monkeypatch.setattr("weigh.train.loop.TOKENS_AT_A_TIME", at_a_time)
    address = save_tiny_encoder(tmp_path / "encoder", layers=1)
    examples, of = examples_of(task), network_task(task)
    model = load_model(address, pretrained=True, offline=True)
    inputs = of.inputs(examples, model.configure({}), SETTING, {})
    network, sizes = of.build(model, examples, torch.Generator().manual_seed(0)), []
    network.register_forward_pre_hook(lambda _network, given: sizes.append(given[0].shape[0] * given[0].shape[2]))
    options = recipe_options(RecipeSpec(name="finetune", batch_size=16), task)
    loop = Loop(network, inputs, options, SETTING, SEEDS, 1, np.arange(40))
    network.eval()  # no dropout, whose draws would differ
    indices = np.arange(16)
    batch = inputs.batch(indices)
    loss = loop._accumulate(len(indices), batch, lambda part: inputs.batch(indices[part]))
    assert (len(sizes) == 1) == (at_a_time == 10_000)
    assert max(sizes) <= at_a_time + batch.inputs.shape[2]
    gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    network.zero_grad()
    expected = network.loss(batch.inputs, batch.targets)
    expected.backward()
    whole = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradient, whole, rtol=1e-4, atol=1e-5)


def test_long_texts_take_the_fused_kernel_and_short_ones_plain_attention(tiny_encoder):
    from weigh.models.processor.layers import speed_up

    model = load_model(tiny_encoder, pretrained=True, offline=True)
    encoder: Encoder = model.module
    own = encoder.model.config._attn_implementation
    assert own != "eager"
    speed_up(encoder, "cpu")
    encoder.plain_below = 20
    batch = model.preprocessing.blank(2)
    batch[0, 1, 10:] = 0
    long = encoder(batch)
    assert encoder.model.config._attn_implementation == own
    short = encoder(batch[:, :, :10])
    assert encoder.model.config._attn_implementation == "eager"
    encoder.plain_below = 1000
    torch.testing.assert_close(encoder(batch), long, rtol=1e-4, atol=1e-5)
    assert short.shape == long.shape
