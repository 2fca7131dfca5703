"""`average`: what is validated and kept is the mean of the last epochs' weights; 1 changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from weigh.train.averaging import Recent
from weigh.train.loop import Loop

from .test_recipes import fit

FAST = {"epochs": 4, "image_size": 64, "batch_size": 8, "learning_rate": 0.02}


@pytest.fixture
def epochs(monkeypatch):
    """Weights of the body and the head after every epoch, as the optimiser left them."""
    seen, original = [], Loop.epoch

    def watched(self, number):
        loss = original(self, number)
        seen.append({name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()})
        return loss

    monkeypatch.setattr(Loop, "epoch", watched)
    return seen


def mean_of(states, name):
    return np.mean([state[name].double().numpy() for state in states], axis=0)


@pytest.mark.parametrize("recipe", ["finetune", "last-stage"])
def test_the_kept_weights_are_the_mean_of_the_epochs_up_to_the_best(recipe, examples, setting, make_run, epochs):
    outcome = fit(
        [make_run(recipe, **FAST, average=2, patience=9, head="random", keep_weights=True)], setting, examples
    )[0]
    best = outcome.facts["best_epoch"]
    for name in ("head.weight", "body.layer4.0.bn1.running_mean"):
        expected = mean_of(epochs[max(0, best - 2) : best], name)
        np.testing.assert_allclose(outcome.weights[name], expected, rtol=1e-5, atol=1e-7)
    plain = fit([make_run(recipe, **FAST, patience=9, head="random")], setting, examples)[0]
    assert [e["loss"] for e in plain.facts["history"]] == [e["loss"] for e in outcome.facts["history"]]  # same training
    assert [e["validation"] for e in plain.facts["history"]] != [e["validation"] for e in outcome.facts["history"]]


def test_a_refit_takes_the_mean_of_its_last_epochs(examples, setting, make_run, epochs):
    run = make_run("last-stage", **FAST, average=3, refit_epochs=4, keep_weights=True)
    outcome = fit([run], setting, examples)[0]
    np.testing.assert_allclose(
        outcome.weights["head.weight"], mean_of(epochs[1:4], "head.weight"), rtol=1e-5, atol=1e-7
    )


def test_a_mean_of_one_is_the_network_itself():
    network = nn.BatchNorm2d(2)
    recent = Recent(network, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with recent.averaged():
        pass
    recent.settle()
    assert not recent.states
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_training_goes_on_from_its_own_weights_and_counters_are_not_averaged():
    network = nn.BatchNorm1d(1)
    recent = Recent(network, 3)
    for epoch in range(4):
        with torch.no_grad():
            network.weight.fill_(float(epoch))
            network.num_batches_tracked.fill_(epoch)
        with recent.averaged():
            shown = network.weight.item()
            assert network.num_batches_tracked.item() == epoch
        assert network.weight.item() == epoch
    assert shown == 2.0  # of 1, 2, 3
    recent.settle()
    assert network.weight.item() == 2.0
