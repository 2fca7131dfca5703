"""Further pretraining on pictures without labels: the loss, what is kept, what a stop costs, and what is never trained on."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.arrays import kind_of
from tests.journeys.test_journey import weigh
from weigh.data.contents import content_hashes
from weigh.data.examples import Examples
from weigh.errors import MissingExtra
from weigh.inputs.augment import draw, draw_colours, recolour
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.study import Study
from weigh.train import pretraining
from weigh.train.determinism import computing, torch_generator
from weigh.train.network import fit
from weigh.train.objectives import Contrast

pytestmark = pytest.mark.skipif(
    find_spec("lightly") is None, reason="lightly is not installed: pip install 'weigh[selfsupervised]'"
)

PRETRAIN = {"epochs": 3, "learning_rate": 3e-3, "batch_size": 8, "temperature": 0.2, "of": "pictures", "n": 24}


def scene(rng, side=72):
    """A picture that can be told from others: large patches of random colours."""
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def write_scenes(folder: Path, n: int, seed: int = 7) -> Path:
    rng = np.random.default_rng(seed)
    for i in range(n):
        file = folder / f"part{i % 3}" / f"scene{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        scene(rng).save(file)
    return folder


@pytest.fixture
def unlabelled(tmp_path) -> Examples:
    folder = write_scenes(tmp_path / "more", 24)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    found = Examples(
        root=folder, path=np.array(files), target=np.zeros(24, np.int64), classes=(), part=np.full(24, "unlabelled"),
        order=np.arange(24), content=np.full(24, ""), kind=kind_of(np.zeros(24, np.int64)),
    )  # fmt: skip
    return replace(found, content=content_hashes(found))


def adapted(tiny, unlabelled, setting, cache, stop=None):
    model = load_model(tiny, pretrained=True, offline=True)
    network = make_network(model, 2).to(memory_format=torch.channels_last)
    setting = replace(setting, cache=cache)

    def progress(what, done, _total):
        if what == "pretraining" and done == stop:
            raise KeyboardInterrupt

    with computing(threads=1):
        facts, _ = pretraining.adapt(
            model, network, model.preprocessing.at(64), unlabelled, PRETRAIN, setting, progress
        )
    return {name: tensor.clone() for name, tensor in network.body.state_dict().items()}, facts


def test_pictures_are_told_apart_better_and_the_statistics_are_kept(tiny, unlabelled, setting, tmp_path):
    before = make_network(load_model(tiny, pretrained=True, offline=True), 2).body.state_dict()
    after, facts = adapted(tiny, unlabelled, setting, tmp_path / "a")
    first, *_, last = facts["pretrain_loss"]
    assert (facts["unlabelled"], facts["pretrain_epochs"]) == (24, 3)
    assert last < first
    changed = [
        name for name in before if before[name].is_floating_point() and not torch.equal(before[name], after[name])
    ]
    assert any(name.endswith("weight") for name in changed)
    assert any("running_mean" in name for name in changed)


def test_a_stop_changes_nothing(tiny, unlabelled, setting, tmp_path, monkeypatch):
    whole, facts = adapted(tiny, unlabelled, setting, tmp_path / "a")
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "b"))
    monkeypatch.setattr(pretraining, "CHECKPOINT", 0.0)
    with pytest.raises(KeyboardInterrupt):
        adapted(tiny, unlabelled, setting, tmp_path / "b", stop=5)
    steps = []
    original = Contrast.loss
    monkeypatch.setattr(Contrast, "loss", lambda *given: steps.append(1) or original(*given))
    resumed, again = adapted(tiny, unlabelled, setting, tmp_path / "b")
    assert 0 < len(steps) < 9, "it began anew, or did nothing"
    assert again["pretrain_loss"] == facts["pretrain_loss"]
    same = [name for name, tensor in whole.items() if tensor.is_floating_point()]
    assert all(torch.equal(whole[name], resumed[name]) for name in same)
    steps.clear()
    kept, _ = adapted(tiny, unlabelled, setting, tmp_path / "b")
    assert not steps
    assert all(torch.equal(whole[name], kept[name]) for name in same)


def test_the_loss_is_that_of_the_paper(tiny, unlabelled, setting):
    """Equation 1 of Chen et al. 2020, written out."""
    model = load_model(tiny, pretrained=True, offline=True)
    objective = Contrast(
        model.module, make_network(model, 2).width, model.preprocessing.at(64), unlabelled, 0.2, setting
    )
    generator = torch_generator(3)
    z = torch.nn.functional.normalize(torch.randn(8, 16, generator=generator), dim=1)
    similar = (z @ z.T / 0.2).fill_diagonal_(-torch.inf)
    pair = torch.arange(8).roll(4)
    wanted = torch.nn.functional.cross_entropy(similar, pair)
    assert float(objective.criterion(z[:4], z[4:])) == pytest.approx(float(wanted), rel=1e-5)


def test_a_run_starts_from_the_adapted_weights(examples, unlabelled, setting, make_run):
    given = replace(examples, unlabelled=unlabelled)
    options = {"epochs": 1, "image_size": 32, "batch_size": 8}
    with computing(threads=1):
        plain = next(iter(fit([make_run("finetune", **options)], setting, given)))
        first = next(iter(fit([make_run("adapted", **options, pretrain=PRETRAIN)], setting, given)))
        again = next(iter(fit([make_run("adapted", **options, pretrain=PRETRAIN)], setting, given)))
    assert first.status == "done", first.cause
    assert first.facts["unlabelled"] == 24
    assert "unlabelled" not in plain.facts
    assert not np.array_equal(first.answers, plain.answers)
    np.testing.assert_array_equal(first.answers, again.answers)
    assert again.measured["pretrain_seconds"] == 0.0, "it was trained a second time"


def test_views_are_of_the_stated_sizes_and_colours():
    drawn = draw(2000, "contrast", torch_generator(0))
    area = drawn[:, 0] * drawn[:, 1]
    assert 0.18 < float(area.min()) < 0.25
    assert float(area.max()) <= 1
    colours = draw_colours(2000, torch_generator(0))
    assert 0.15 < float((colours[:, 2] == 0).float().mean()) < 0.25
    assert float(colours[:, :2].min()) >= 0.6
    assert float(colours.max()) <= 1.4
    pictures = torch.randint(60, 180, (3, 8, 8, 3), dtype=torch.uint8, generator=torch_generator(1))
    assert torch.equal(recolour(pictures, torch.ones(3, 3)), pictures)
    grey = recolour(pictures, torch.tensor([[1.0, 1.0, 0.0]]).expand(3, 3))
    assert int((grey.amax(dim=3) - grey.amin(dim=3)).max()) <= 1
    dark = recolour(pictures, torch.tensor([[0.5, 1.0, 1.0]]).expand(3, 3))
    assert float((dark.float() - pictures.float() / 2).abs().max()) <= 1


def test_without_lightly_it_is_said_what_to_install(tiny, unlabelled, setting, monkeypatch):
    monkeypatch.setattr("weigh.train.objectives.find_spec", lambda _name: None)
    model = load_model(tiny, pretrained=True, offline=True)
    with pytest.raises(MissingExtra, match="lightly"):
        Contrast(model.module, make_network(model, 2).width, model.preprocessing.at(64), unlabelled, 0.2, setting)


def test_a_study_compares_it_and_uses_nothing_of_its_own(photos, tiny, tmp_path, capsys):
    more, own = write_scenes(tmp_path / "more", 30), sorted(photos.rglob("*.png"))
    for i, path in enumerate(own[:4]):  # the same pixels in another file
        Image.open(path).save(more / f"own{i}.bmp")
    (more / "again.png").write_bytes((more / "part0" / "scene0.png").read_bytes())
    (more / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    recipes = [{"name": name, "epochs": 1, "image_size": 32, "batch_size": 8} for name in ("finetune", "adapted")]
    settings = ["design.folds=2", "design.repeats=1", "design.order_check=false", "design.cleaned=false", "run.offline=true",
                "output.refit=false", f"pretrain.pictures={more}", "pretrain.epochs=1"]  # fmt: skip
    study = Study.from_data(photos, [tiny], recipes, settings=settings, folder=tmp_path / "study").run()
    assert not [record.cause for record in study.results().records if record.status == "failed"]
    findings = study.read()
    said = next(f.sentence.en for f in findings if "without labels are used" in f.sentence.en)
    assert "30 of 36 pictures without labels are used; 4 are of the study itself" in said
    assert "1 are repetitions" in said
    assert "1 cannot be opened" in said
    assert any(f.id.startswith("performance:pretraining") for f in findings)

    code, _, err = weigh(
        capsys, "run", photos, "--models", tiny, "--recipes", "adapted", "--offline", "--yes", "-o", tmp_path / "other",
        "--set", "pretrain.texts=more.txt",
    )  # fmt: skip
    assert code != 0
    assert "pretrain.pictures" in err
    assert "Traceback" not in err
