"""Adapters on a text encoder: what is trained, that they go into the weights, and that a run with them repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.arrays import kind_of
from tests.text_models import BAD, GOOD, save_tiny_encoder, sentences
from weigh.errors import MissingExtra, ModelError
from weigh.media import medium_named
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import RECIPES
from weigh.train.lora import add_adapters

pytest.importorskip("peft")

OPTIONS = RECIPES.get("lora").options["texts"]().model_dump()


@pytest.fixture
def network(tiny_encoder):
    return make_network(
        load_model(tiny_encoder, pretrained=True, offline=True), 2, torch.Generator().manual_seed(0)
    ).eval()


def tokens(n: int = 5) -> torch.Tensor:
    batch = torch.zeros(n, 3, 12, dtype=torch.long)
    batch[:, 0] = torch.randint(5, 60, (n, 12), generator=torch.Generator().manual_seed(1))
    batch[:, 1] = 1
    return batch


def learn(network, steps: int = 8) -> None:
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=0.01)
    for _ in range(steps):
        torch.nn.functional.cross_entropy(network(tokens()), torch.tensor([0, 1, 0, 1, 1])).backward()
        optimiser.step()
        optimiser.zero_grad()


def test_adapters_start_as_nothing_and_end_in_the_weights(network):
    names = list(network.state_dict())
    before, plain = {k: v.clone() for k, v in network.state_dict().items()}, network(tokens()).detach()
    adapters = add_adapters(network, OPTIONS, rng_seed=3, address="hf:tiny")
    torch.testing.assert_close(network(tokens()).detach(), plain, rtol=0, atol=0)
    learn(network)
    with torch.no_grad():
        adapted = network(tokens())
        adapters.merge()
        merged = network(tokens())
    assert float((adapted - plain).abs().max()) > 0.01
    torch.testing.assert_close(merged, adapted, rtol=1e-5, atol=1e-5)
    assert list(network.state_dict()) == names
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    dense = {name for name in names if "LayerNorm" not in name and "embeddings" not in name and name.endswith("weight")}
    assert changed == {*dense, "head.bias"}
    for name in dense - {"head.weight"}:  # the change of each layer is of the rank that was asked for
        assert torch.linalg.matrix_rank(network.state_dict()[name] - before[name], atol=1e-4) <= OPTIONS["rank"]


def test_few_parameters_are_trained(tmp_path):
    address = save_tiny_encoder(tmp_path / "wider", hidden=128, layers=2)
    shares = {}
    for targets in ("all-linear", "query-value"):
        network = make_network(load_model(address, pretrained=True, offline=True), 2)
        everything = sum(p.numel() for p in network.parameters())
        adapters = add_adapters(network, {**OPTIONS, "rank": 2, "targets": targets}, rng_seed=0, address=address)
        trained = {name for name, p in network.named_parameters() if p.requires_grad}
        assert all("lora_" in name or name.startswith("head.") for name in trained)
        # a layer from a to b numbers has rank x (a + b) of them: four of 128 to 128, two between 128 and 64
        pairs = {"all-linear": 4 * 256 + 2 * 192, "query-value": 2 * 256}[targets]
        assert adapters.n_trained == 2 * 2 * pairs + 2 * 129
        assert adapters.layers == {"all-linear": 12, "query-value": 4}[targets]
        shares[targets] = adapters.n_trained / everything
    assert shares["query-value"] < shares["all-linear"] < 0.04


def test_only_the_seed_decides_where_adapters_start(tiny_encoder):
    def start(seed: int) -> torch.Tensor:
        network = make_network(load_model(tiny_encoder, pretrained=True, offline=True), 2)
        before = torch.get_rng_state()
        add_adapters(network, OPTIONS, rng_seed=seed, address=tiny_encoder)
        assert torch.equal(torch.get_rng_state(), before)
        return torch.cat([p.flatten() for name, p in network.named_parameters() if "lora_A" in name])

    first = start(1)
    torch.rand(7)  # whatever happened before
    assert torch.equal(start(1), first)
    assert not torch.equal(start(2), first)


def test_a_model_without_such_layers_is_refused(network):
    for layer in network.body.model.encoder.layer:  # names that nobody has heard of
        of = layer.attention.self
        of.wish, of.gift = of.query, of.value
        del of.query, of.value
    with pytest.raises(ModelError, match="targets=query-value") as refused:
        add_adapters(network, {**OPTIONS, "targets": "query-value"}, rng_seed=0, address="hf:odd")
    assert "all-linear" in str(refused.value)
    assert "finetune" in str(refused.value)


def test_without_peft_the_message_says_what_to_install(network, monkeypatch):
    monkeypatch.setattr("weigh.train.lora.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'weigh\[lora\]'"):
        add_adapters(network, OPTIONS, rng_seed=0, address="hf:tiny")


def test_a_run_repeats_and_its_weights_are_those_of_a_plain_network(tiny_encoder, tmp_path):
    from weigh.data.examples import Examples
    from weigh.heads.network_task import network_task
    from weigh.kinds.base import rows_of
    from weigh.run import Run, Setting
    from weigh.train.determinism import computing
    from weigh.train.network import fit

    rows, order = sentences(48, [BAD, GOOD]), np.arange(48)
    examples = Examples(
        tmp_path, order.astype(str), np.array([kind for _, kind in rows]), ("bad", "good"), np.array(["train"] * 48), order,
        order.astype(str), rows=rows_of([(text,) for text, _ in rows]), medium=medium_named("texts"), kind=kind_of(np.array([kind for _, kind in rows])),
    )  # fmt: skip
    setting = Setting("text-classification", examples.classes, "accuracy", offline=True)
    run = Run(
        "key", "tiny × lora", tiny_encoder, "lora", {**OPTIONS, "epochs": 2, "batch_size": 8}, "main", "", 0, 0, order[:36],
        order[36:], {"init": 1, "order": 2, "augmentation": 3, "split": 4}, keep_weights=True,
    )  # fmt: skip
    with computing(threads=1):
        one = next(fit([run], setting, examples))
        torch.rand(7)  # whatever happened before
        two = next(fit([run], setting, examples))
        other = next(fit([replace(run, seeds={**run.seeds, "init": 9})], setting, examples))
    assert one.status == "done", one.cause
    np.testing.assert_array_equal(one.answers, two.answers)
    assert one.facts == two.facts
    assert not np.array_equal(one.answers, other.answers)
    assert 0 < one.facts["n_trained"] < one.facts["n_parameters"]
    model = load_model(tiny_encoder, pretrained=False, offline=True)
    network, task = make_network(model, 2).eval(), network_task("text-classification")
    network.load_state_dict({name: torch.from_numpy(array) for name, array in one.weights.items()})
    inputs = task.inputs(examples, model.preprocessing, setting, {})
    with torch.inference_mode():
        logits = network(inputs.batch(run.test).inputs).numpy()
    np.testing.assert_allclose(logits, one.answers, atol=1e-5)
