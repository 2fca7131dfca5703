"""Models with a decoder of their own: their vectors per pixel are what their last classifier took, whatever the library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional

from tests.tasks.test_contract import some
from weigh.errors import ModelError
from weigh.heads.base import HEADS
from weigh.heads.network_task import network_task
from weigh.models.listing import list_models
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.study import Study

SIZE = (96, 64)
OF_TORCHVISION = ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"]
LARGE_LAST = [*OF_TORCHVISION[:2], pytest.param("fcn_resnet50", marks=pytest.mark.thorough)]


def noise(n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def network_for_masks(address: str, *, pretrained: bool = False, outputs: int = 21):
    model = load_model(address, pretrained=pretrained, offline=True)
    generator = torch.Generator().manual_seed(1)
    return model, make_network(model, outputs, generator, HEADS.get("masks"), port="maps")


def last_weights(state: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of torchvision's last classifier; the two of LR-ASPP, which are added, in a row."""
    if "classifier.4.weight" in state:
        return state["classifier.4.weight"], state["classifier.4.bias"]
    parts = ("classifier.low_classifier", "classifier.high_classifier")
    return torch.cat([state[f"{p}.weight"] for p in parts], 1), sum(state[f"{p}.bias"] for p in parts)


@pytest.mark.parametrize("name", LARGE_LAST)
def test_with_its_own_classifier_a_model_of_torchvision_answers_as_it_does_there(name):
    model = load_model(f"torchvision:{name}", pretrained=False, offline=True)
    state = {key: value.clone() for key, value in model.module.state_dict().items()}
    with torch.inference_mode():
        theirs = model.module(noise())["out"]
    network = make_network(model, 21, torch.Generator().manual_seed(1), HEADS.get("masks"), port="maps").eval()
    weight, bias = last_weights(state)
    with torch.inference_mode():
        network.head.last.weight.copy_(weight)
        network.head.last.bias.copy_(bias)
        ours = functional.interpolate(network(noise()), size=SIZE, mode="bilinear", align_corners=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    (stride,) = network.body.strides
    assert tuple(network.body(noise())[0].shape) == (2, weight.shape[1], SIZE[0] // stride, SIZE[1] // stride)


@pytest.mark.parametrize("name", LARGE_LAST)
@pytest.mark.parametrize("at", ["head", "last-stage"])
def test_both_halves_give_what_the_whole_gives_and_only_the_tail_learns(name, at):
    _, network = network_for_masks(f"torchvision:{name}")
    network.eval()
    stage = network.split(shape=SIZE, native=520, address=name, at=at)
    with torch.inference_mode():
        kept = stage.prefix(noise())
        torch.testing.assert_close(stage.tail.eval()(kept), network(noise()))
    assert tuple(kept.shape[1:]) == stage.shape
    stage.tail.train()(kept.clone()[:1]).square().mean().backward()  # one picture: what is pooled has no statistics
    learning = {n for n, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert {n for n in learning if n.startswith("head.last.")} == {"head.last.weight", "head.last.bias"}
    assert bool(learning - {"head.last.weight", "head.last.bias"}) == (at == "last-stage")
    assert not any(".encoder." in n for n in learning)


def test_layers_of_the_encoder_and_of_the_decoder_lie_at_different_depths():
    _, network = network_for_masks("torchvision:lraspp_mobilenet_v3_large")
    depth = network.depths()
    of = {part: [d for name, d in depth.items() if f".{part}." in name] for part in ("encoder", "decoder")}
    assert len(set(of["encoder"])) > 10
    assert max(of["encoder"]) < min(of["decoder"])
    assert depth["head.last.weight"] == max(depth.values())


@pytest.mark.parametrize("address", ["timm:test_vit", "timm:test_efficientnet", "torchvision:mobilenet_v2"])
def test_layers_of_a_pyramid_lie_as_deep_as_those_of_the_network_for_labels(address):
    plain = make_network(load_model(address, pretrained=False, offline=True), 2).depths()
    _, network = network_for_masks(address, outputs=2)
    in_pyramid = {n.replace("body.body.", "body.", 1): d for n, d in network.depths().items() if n.startswith("body")}
    assert in_pyramid == {n: d for n, d in plain.items() if n.startswith("body")}
    assert len(set(in_pyramid.values())) > 3


def test_batch_norms_of_the_body_keep_their_statistics_also_in_the_last_stage(tiny):
    """A batch of a few large pictures has no reliable ones."""
    _, network = network_for_masks(tiny, pretrained=True)
    stage = network.split(shape=(64, 64), native=160, address=tiny)
    for trained in (network, stage.tail):
        norms = [m for m in trained.train().body.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert norms
        assert not any(norm.training for norm in norms)
    _, network = network_for_masks("timm:test_resnet")  # random weights have no statistics to keep
    assert all(m.training for m in network.train().body.modules() if isinstance(m, torch.nn.BatchNorm2d))


# ---- a checkpoint, and what it is refused for ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lraspp(tmp_path_factory) -> str:
    """LR-ASPP with random weights in a file."""
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "lraspp.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torchvision.models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)
    save_file(module.state_dict(), path)
    return f"file:{path}@torchvision:lraspp_mobilenet_v3_large"


def test_a_checkpoint_with_a_classifier_that_only_helped_is_read_without_it(tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(
        "fcn_resnet50", weights=None, weights_backbone=None, aux_loss=True, num_classes=5
    )
    path = tmp_path / "fcn.pth"
    torch.save(theirs.state_dict(), path)
    model = load_model(f"file:{path}@torchvision:fcn_resnet50", pretrained=True, offline=True)
    torch.testing.assert_close(model.module.state_dict()["classifier.0.weight"], theirs.classifier[0].weight)
    assert "aux_classifier" in model.provenance.note
    assert not any(name.startswith("aux") for name in model.module.state_dict())
    torch.save({n: v for n, v in theirs.state_dict().items() if not n.startswith("backbone.layer4")}, path)
    with pytest.raises(ModelError, match="does not fit"):
        load_model(f"file:{path}@torchvision:fcn_resnet50", pretrained=True, offline=True)


@pytest.mark.parametrize("task", ["image-classification", "image-regression"])
def test_what_gives_no_vector_per_picture_is_refused_with_what_it_is_for(task):
    model = load_model("torchvision:lraspp_mobilenet_v3_large", pretrained=False, offline=True)
    with pytest.raises(ModelError, match=f"is not for {task}") as refused:
        network_task(task).require(model, "network")
    assert "It is for: semantic-segmentation, object-detection." in refused.value.render("en")
    assert "semantic-segmentation" in refused.value.render("zh")
    with pytest.raises(ModelError, match="no vector per example"):
        model.width()


@pytest.mark.parametrize("recipe", ["probe", "finetune"])
def test_the_plan_of_a_study_of_labels_says_so_before_anything_runs(recipe, lraspp, photos, tmp_path):
    study = Study.from_data(photos, [lraspp], [recipe], settings=["run.offline=true"], folder=tmp_path / "study")
    for door in (study.plan, study.run):
        with pytest.raises(ModelError, match="It is for: semantic-segmentation"):
            door()
    assert not list((tmp_path / "study").rglob("*.npz"))


@pytest.mark.parametrize(
    "name", ["lraspp_mobilenet_v3_large", pytest.param("deeplabv3_mobilenet_v3_large", marks=pytest.mark.thorough)]
)
def test_it_learns_masks(name, photos):
    examples = some("semantic-segmentation", photos)
    model = load_model(f"torchvision:{name}", pretrained=False, offline=True)
    network = network_task("semantic-segmentation").build(model, examples, torch.Generator().manual_seed(0))
    pictures = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    target = (torch.arange(64) // 32).expand(4, 64, 64)
    pictures[:, :, :, 32:] += 1.0
    optimiser = torch.optim.AdamW(network.train().parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = network.loss(pictures, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_models_for_masks_are_listed():
    listed = {row.address for row in list_models("torchvision:*", offline=True, language="en")}
    assert {f"torchvision:{name}" for name in OF_TORCHVISION} <= listed
    assert "torchvision:resnet18" in listed
    assert np.all([address.startswith("torchvision:") for address in listed])
