"""How fast each layer of a text encoder and its head learn, and what the head of entities begins as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.text_models import save_tiny_encoder
from weigh.heads.network_task import network_task
from weigh.models.encoder import ANATOMY, Encoder
from weigh.models.network import Network
from weigh.models.pretrained import load_model
from weigh.run import Run, recipe_options
from weigh.spec import RecipeSpec
from weigh.train.loop import Loop
from weigh.train.network import fit

from .test_vocabulary import SEEDS, SETTING, examples_of

TASK = "token-classification"
ENTITIES = replace(SETTING, task=TASK, primary="entity_f1")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    return save_tiny_encoder(tmp_path_factory.mktemp("models") / "tiny", layers=3)


@pytest.mark.parametrize("family", ["Bert", "DistilBert", "ModernBert"])
def test_every_layer_of_an_encoder_has_its_own_depth(family):
    import transformers

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    if family == "DistilBert":
        sizes = {"dim": 16, "hidden_dim": 16, "n_layers": 3, "n_heads": 2}
    config = getattr(transformers, f"{family}Config")(vocab_size=8, pad_token_id=0, **sizes)
    encoder = Encoder(getattr(transformers, f"{family}Model")(config), width=16)
    depths = Network(encoder, torch.nn.Linear(16, 2), anatomy=ANATOMY).depths()
    assert {depth for name, depth in depths.items() if "embeddings" in name} == {0}
    of_layers = [{d for name, d in depths.items() if f".{k}." in name.split("layer")[-1][:4]} for k in range(3)]
    assert of_layers == [{1}, {2}, {3}]
    assert {depth for name, depth in depths.items() if name.startswith("head.")} == {4}


def test_rates_fall_layer_by_layer_and_the_head_has_its_own(address):
    options = recipe_options(RecipeSpec(name="finetune", learning_rate=1e-3, layer_decay=0.5, head_rate=20), TASK)
    examples = examples_of(TASK)
    model = load_model(address, pretrained=True, offline=True)
    preparation, task = model.configure(options), network_task(TASK)
    network = task.build(model, examples, torch.Generator().manual_seed(0))
    inputs = task.inputs(examples, preparation, ENTITIES, options)
    optimiser = Loop(network, inputs, options, ENTITIES, SEEDS, 2, np.arange(30)).optimiser
    rate_of = {id(p): group["initial_lr"] for group in optimiser.param_groups for p in group["params"]}
    rates = {name: rate_of[id(p)] for name, p in network.named_parameters()}
    assert rates["head.weight"] == rates["head.bias"] == pytest.approx(20e-3)
    assert rates["body.model.encoder.layer.2.output.dense.weight"] == pytest.approx(1e-3 / 2)
    assert rates["body.model.encoder.layer.0.output.dense.weight"] == pytest.approx(1e-3 / 8)
    assert rates["body.model.embeddings.word_embeddings.weight"] == pytest.approx(1e-3 / 16)


def test_the_head_of_entities_begins_at_how_frequent_tags_are(address):
    options = recipe_options(RecipeSpec(name="finetune", epochs=1, learning_rate=1e-30), TASK)
    examples, training = examples_of(TASK), np.arange(30)
    run = Run("k", "c", address, "finetune", options, "main", "", 1, 0, training, np.arange(30, 40), SEEDS, True)
    (outcome,) = fit([run], ENTITIES, examples)
    assert outcome.status == "done", outcome.cause
    words = sum(len(examples.rows[i]) for i in training)
    # one entity of one word in each sentence, of two types in turn; one word more of every tag
    counts = np.array([words - 30, 15, 0, 15, 0]) + 1
    np.testing.assert_allclose(outcome.weights["head.bias"], np.log(counts / counts.sum()), rtol=1e-5)
