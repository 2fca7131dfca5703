"""Recipes that train the network: `finetune`, `last-stage`, `lp-ft`, `lora`, `adapted`, `joint`, `scratch`, `textbook`. One run at a time.

The epoch is chosen on a validation part of the training folds (never on the test fold) and its weights are restored.
A refit has no validation part: it trains for the number of epochs that the cross-validation found best. `last-stage`
trains the tail of the network on activations of its frozen part, `lora` adapters that are added to the weights; everything
else is the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.data.folds import count_units, inner_split
from weigh.heads.base import HEADS, head_of
from weigh.heads.network_task import network_task
from weigh.inputs.base import Inputs
from weigh.kinds.base import Kind, Prediction
from weigh.metrics.base import METRICS
from weigh.models.network import Network
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import Pretrained
from weigh.models.processor.layers import speed_up
from weigh.notices import Progress
from weigh.run import RECIPES, Outcome, Run, Setting
from weigh.seeds import seed
from weigh.train.activations import activations_of
from weigh.train.averaging import Recent, state_of
from weigh.train.decision import Decision, choose_bias, choose_decision, score_training
from weigh.train.determinism import forked, torch_generator
from weigh.train.device import ahead, peak_bytes
from weigh.train.failures import Diverged, OutOfMemory, failed_outcome
from weigh.train.features import features_key, load_for, own_operations, prediction_seconds
from weigh.train.furthest import Furthest, furthest_of
from weigh.train.length import epochs_of, scored_every
from weigh.train.loop import Epoch, Loop
from weigh.train.lora import add_adapters
from weigh.train.paired import clearly_better
from weigh.train.pretraining import Beside, adapt
from weigh.train.recipe_defaults import STRENGTHS
from weigh.train.sample import sample_of
from weigh.train.vocabulary import shorten_vocabulary
from weigh.train.words import add_words, asks_words

__all__ = ["fit"]


@dataclass
class Work:
    """What one run works with: everything that `_fit_run` needs and nothing global."""

    run: Run
    setting: Setting
    network: Network
    inputs: Inputs  # of a frozen part its activations; `network` is then the tail
    target: np.ndarray
    kind: Kind
    width: int  # numbers that are recorded of one example
    beside: Beside | None = None  # a loss of its own in every step

    def predict(self, indices: np.ndarray, furthest: Furthest | None = None) -> np.ndarray:
        """`(n, …)` what is recorded of examples, in eval mode: logits, or whatever their kind keeps; `furthest` is shown the answers.

        In single precision whatever the training's was, as the saved model answers (docs/decisions/arithmetic.md).
        """
        batches: list[tuple[np.ndarray, np.ndarray]] = []
        self.network.eval()
        with torch.inference_mode():
            cut = self.inputs.cut(indices, 64)
            for positions, batch in ahead(lambda some: self.inputs.batch(indices[some]), cut, self.setting.device):
                answers = self.network.answers(batch, self.width)
                rows = self.kind.recorded(answers, self.target[indices[positions]])
                batches.append((positions, rows))
                if furthest is not None:
                    furthest.look(indices[positions], answers, rows)
        width = max((rows.shape[1] for _, rows in batches), default=self.width)
        recorded = np.zeros((len(indices), width), batches[0][1].dtype if batches else np.float32)
        for positions, rows in batches:  # zeros at the right of shorter rows: pictures with fewer detections
            recorded[positions, : rows.shape[1]] = rows
        return recorded


def fit(
    runs: Sequence[Run], setting: Setting, examples: Examples, progress: Progress | None = None
) -> Iterator[Outcome]:
    """Train and predict, one outcome per run; a run that diverges is a failed outcome."""
    for run in runs:
        try:
            yield _fit_run(run, setting, examples, progress)
        except (Diverged, OutOfMemory) as error:
            yield failed_outcome(run.key, error)


def _fit_run(run: Run, setting: Setting, examples: Examples, progress: Progress | None) -> Outcome:
    recipe, options, task = RECIPES.get(run.recipe), run.options, network_task(setting.task)
    began = time.perf_counter()
    model = load_for(run.model, setting, pretrained=recipe.pretrained, rng_seed=run.seeds["init"])
    loaded = time.perf_counter() - began
    preparation = model.configure(options)
    # the facts of an address are those of its pretrained weights
    facts_of_model = task.facts(model, preparation, examples) if recipe.pretrained else {}
    network = task.build(model, examples, torch_generator(run.seeds["init"]))
    operations = own_operations(network, model, preparation)
    work, facts, measured = _set_up(run, setting, model, network, preparation, examples, progress)
    facts |= operations
    training, validation = _split(run, examples)
    started = time.perf_counter()
    best, facts_of_training = _optimise(work, model, examples, training, validation, progress)
    trained = time.perf_counter() - started
    settled = _settle(work, validation)
    bias, chosen = _decision(work, validation)
    # it stays a probe; this one has seen the validation part too, as the recipe's has
    if best.number == 0 and len(validation):
        facts_of_training["probe_strength"] = _start_from_probe(work, examples, run.train)
    known = run.train[:: scored_every(run.epochs, len(run.train))]
    train_scores = score_training(examples, setting.primary, _finite(work.predict(known)), known, bias)
    furthest = furthest_of(run, setting, examples)
    answers = _finite(work.predict(run.test, furthest))
    seconds = prediction_seconds(network, preparation, options, setting)
    sample = sample_of(run, replace(setting, precision="fp32"), seconds, work.predict)  # in which it predicts
    facts |= facts_of_training | {
        "n_parameters": sum(p.numel() for p in network.parameters()), "best_epoch": best.number, "history": best.history,
        "batch_size": best.batch_size, "accumulated": best.accumulated, "train_scores": train_scores,
        **({"bias": bias} if bias is not None else {}), **({"settled": settled | chosen} if settled or chosen else {}),
    }  # fmt: skip
    measured |= {
        "train_seconds": trained,
        "load_seconds": loaded,
        "predict_seconds_per_example": seconds,
        "delay": (setting.model or {}).get("delay"),
        "peak_bytes": peak_bytes(setting.device),
    }
    outcome = Outcome(
        run.key, "done", answers=answers, facts=facts, measured=measured, weights=_weights(network) if run.keep_weights else None,
        preparation=preparation if run.keep_weights else None, sample=sample, model=facts_of_model,
        kept=None if furthest is None else furthest.kept(),
    )  # fmt: skip
    if not asks_words(run, setting, examples):
        return outcome
    if progress:
        progress("words", 0, 1)

    def outputs(some: Examples) -> np.ndarray:
        asked = replace(work, inputs=task.inputs(some, preparation, setting, options))
        return asked.predict(np.arange(len(some)))

    return add_words(outcome, run, examples, preparation.tokenizer, outputs)


def _finite(answers: np.ndarray) -> np.ndarray:
    """The answers as they are.

    Raises:
        Diverged: Some are not finite.
    """
    if not np.isfinite(answers).all():
        raise Diverged("the trained network predicts values that are not finite")
    return answers


def _weights(network: Network) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in network.state_dict().items()}


def _set_up(
    run: Run, setting: Setting, model: Pretrained, network: Network, preparation: Any, examples: Examples, progress: Progress | None
) -> tuple[Work, dict[str, Any], dict[str, float]]:  # fmt: skip
    """Everything until the first step: on the device, pretrained further, cut where a part stays frozen; facts, and seconds it took."""
    recipe, head = RECIPES.get(run.recipe), head_of(examples)
    facts: dict[str, Any] = {}
    measured: dict[str, float] = {}
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    network.to(setting.device).to(memory_format=layout)
    if not recipe.frozen:
        speed_up(network, setting.device)
    if recipe.unlabelled == "before":
        assert examples.unlabelled is not None
        facts, measured["pretrain_seconds"] = adapt(
            model, network, preparation, examples.unlabelled, run.options["pretrain"], setting, progress
        )
    if head.start is not None:
        head.start(network, examples.subset(run.train))
    if recipe.frozen:
        work, facts_of_cut = _freeze(run, setting, model, network, preparation, examples, progress)
        facts |= facts_of_cut
        speed_up(work.network, setting.device)
    else:
        inputs = network_task(setting.task).inputs(examples, preparation, setting, run.options, progress)
        work = Work(run, setting, network, inputs, examples.target, examples.kind, head.width(examples))
    if recipe.unlabelled == "beside":
        assert examples.unlabelled is not None
        work.beside = Beside(model, preparation, examples.unlabelled, run.options["pretrain"], setting, run.seeds)
    return work, facts, measured


def _optimise(
    work: Work, model: Pretrained, examples: Examples, training: np.ndarray, validation: np.ndarray, progress: Progress | None
) -> tuple[Epoch, dict[str, Any]]:  # fmt: skip
    """Train, and put back what was changed for that alone; the epoch that was kept, and facts."""
    run, recipe, feed = work.run, RECIPES.get(work.run.recipe), network_task(work.setting.task).feed
    facts: dict[str, Any] = {}
    probed = run.options.get("head") == "probe" and work.kind.linear
    if probed:
        facts["probe_strength"] = _start_from_probe(work, examples, training)
    adapters = None
    if recipe.low_rank:
        own_seed = seed(run.seeds["init"], "adapters")
        adapters = add_adapters(work.network, run.options, rng_seed=own_seed, address=model.address.written)
        facts |= {"n_trained": adapters.n_trained, "adapted_layers": adapters.layers}
    # adapters leave the table as it is; hidden words are guessed among all of it
    whole = recipe.low_rank or work.beside is not None or feed.tokens is None
    shortened = None if whole else shorten_vocabulary(work.network, feed.tokens(work.inputs))
    with forked(seed(run.seeds["augmentation"], "dropout")):  # dropout takes no generator of its own
        best = _train(work, training, validation, progress, probed=probed)
    if adapters is not None:
        adapters.merge()
    if shortened is not None:
        shortened.restore()
    return best, facts


def _settle(work: Work, validation: np.ndarray) -> dict[str, float]:
    """What the head's kind chooses after training, on the validation part; a refit has none and is given what the cross-validation chose."""
    settle = HEADS.get(work.kind.name).settle
    if settle is None:
        return {}
    chosen = work.run.settled
    if not chosen:
        unseen = validation if len(validation) else work.run.train
        chosen = settle(work.predict(unseen), work.target[unseen])
    work.network.settle(chosen)
    return chosen


def _decision(work: Work, validation: np.ndarray) -> Decision:
    """Chosen on the validation part, as far as it is chosen at all (`decision.choose_decision`)."""
    run, target = work.run, work.target
    unseen = (lambda: (work.predict(validation), target[validation])) if len(validation) else None
    decision, primary = run.options.get("decision", "argmax"), work.setting.primary
    return choose_decision(
        work.kind, decision, primary, target[run.train], work.width, unseen, run.settled, weighed=run.balanced
    )


def _freeze(
    run: Run,
    setting: Setting,
    model: Pretrained,
    network: Network,
    preparation: Preprocessing,
    examples: Examples,
    progress: Progress | None,
) -> tuple[Work, dict[str, Any]]:
    """Work on the tail of `network`, whose weights it shares, and facts on the cut."""
    at = RECIPES.get(run.recipe).frozen
    assert at
    stage = network.split(
        shape=preparation.shape, native=model.preprocessing.size, address=model.address.written, at=at
    )
    key = features_key(model.digest, preparation, examples, setting, model.built)
    activations = activations_of(
        stage, preparation, examples, setting, views=run.options["views"], features_key=key, progress=progress
    )
    facts = {
        "trained_from": stage.first,
        "n_trained": sum(p.numel() for p in stage.tail.parameters() if p.requires_grad),
        "activation_bytes": activations.bytes_per_picture,
    }
    width = head_of(examples).width(examples)
    return Work(run, setting, stage.tail, activations, examples.target, examples.kind, width), facts


def _split(run: Run, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation indices; no validation part for refits and for recipes without one."""
    share = run.options.get("validation")
    if run.epochs is not None or not share:
        return run.train, run.train[:0]
    rng = np.random.default_rng(run.seeds["split"])
    group = examples.group_at(run.train)
    if count_units(group, len(run.train)) < 2:  # one group is all there is: its examples choose the epoch
        group = None
    in_validation = inner_split(examples.strata(run.train), share=share, rng=rng, group=group)
    return run.train[~in_validation], run.train[in_validation]


def _start_from_probe(work: Work, examples: Examples, training: np.ndarray) -> float:
    """Put the head of a probe, fitted on these examples alone, on the network; returns its strength."""
    from weigh.train.logistic import eigenbasis
    from weigh.train.probe import fit_head
    from weigh.train.rows import Rows

    run = work.run
    work.network.eval()
    features = np.zeros((len(training), work.network.width), np.float32)
    with torch.inference_mode():
        for positions in work.inputs.cut(training, 64):
            batch = work.inputs.batch(training[positions])
            features[positions] = work.network.features(batch.inputs).float().cpu().numpy()
    head = fit_head(
        features,
        work.target[training],
        run.options.get("strengths", STRENGTHS),
        work.network.outputs,
        eigenbasis(Rows.standardise(features)),
        kind=work.kind,
        rng=np.random.default_rng(run.seeds["split"]),
        group=examples.group_at(training),
        balanced=run.balanced,
    )
    work.network.set_head(head.weight, head.bias)
    return head.strength


def _train(
    work: Work, training: np.ndarray, validation: np.ndarray, progress: Progress | None, *, probed: bool
) -> Epoch:
    """Train and keep the epoch that is best on the validation part; the start (0) where that is a probe's head and none is clearly better."""
    options, epochs = work.run.options, work.run.epochs
    if epochs is None:
        epochs = epochs_of(options, len(work.run.train))
    if work.run.balanced:
        work.network.balance(work.target[training])
    if options.get("loss"):
        work.network.choose_loss(options["loss"])
    loop = Loop(
        work.network, work.inputs, options, work.setting, work.run.seeds, epochs, training, work.beside
    )  # fmt: skip
    best, state, history, without = Epoch(epochs, [], loop.batch_size, loop.accumulated), None, [], 0
    best_score, recent = -np.inf, Recent(work.network, options.get("average", 1))
    start = (state_of(work.network), _measured(work, validation)) if probed and len(validation) else None
    # F1 of entities is 0 until the first is found: an epoch that is as good has then learned more, and is no reason to stop
    ties_go_on = work.kind.from_nothing
    for epoch in range(1, epochs + 1):
        loss = loop.epoch(epoch)
        entry = {"epoch": epoch, "loss": round(loss, 5)}
        with recent.averaged():
            if len(validation):
                entry["validation"] = round(_validate(work, validation), 5)
                score = entry["validation"]
                if score > best_score or (ties_go_on and score == best_score):
                    best_score, without = score, 0
                    best, state = Epoch(epoch, [], loop.batch_size, loop.accumulated), state_of(work.network)
                else:
                    without += 1
        history.append(entry)
        if progress:
            progress("epochs", epoch, epochs)
        if len(validation) and without >= options.get("patience", epochs):
            break
    if state is not None:
        work.network.load_state_dict(state)
    else:
        recent.settle()
    metric = METRICS.get(work.setting.primary)
    if start is not None and not clearly_better(metric, _measured(work, validation), start[1]):
        work.network.load_state_dict(start[0])
        best = best._replace(number=0)
    return Epoch(best.number, history, loop.batch_size, loop.accumulated)


def _measured(work: Work, indices: np.ndarray) -> np.ndarray:
    """`(n, …)`: the statistics of the primary metric."""
    prediction, target = _decided(work, indices)
    return METRICS.get(work.setting.primary).measure(prediction, target)


def _decided(work: Work, indices: np.ndarray) -> tuple[Prediction, np.ndarray]:
    """What the network decides, with the threshold that follows from how frequent the classes are; and what is true.

    Raises:
        Diverged: Predictions that are not finite.
    """
    logits, target = work.predict(indices), work.target[indices]
    if not np.isfinite(logits).all():
        raise Diverged("the network's predictions became infinite or undefined")
    run, primary = work.run, work.setting.primary
    decision = run.options.get("decision", "argmax")
    bias = choose_bias(work.kind, decision, primary, target, None, work.width, weighed=run.balanced)
    return work.kind.decide(logits, 0.0 if bias is None else np.asarray(bias)), target


def _validate(work: Work, validation: np.ndarray) -> float:
    """The primary metric, greater is better, with the loss as tie-breaker: on few pictures many epochs tie."""
    prediction, target = _decided(work, validation)
    metric = METRICS.get(work.setting.primary)
    score = metric.score(prediction, target)
    loss = METRICS.get("log_loss").score(prediction, target) if work.kind.probable else 0.0
    score = 0.0 if np.isnan(score) else score if metric.greater_is_better else -score
    return score - 0.02 * min(loss, 10.0)
