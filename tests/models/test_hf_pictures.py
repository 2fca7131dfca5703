"""Models of pictures of transformers: what their processor prepares is what we prepare; features, maps and own heads of many families."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from weigh.errors import ModelError
from weigh.models.pretrained import load_model

VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 64, "patch_size": 16}  # fmt: skip
TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16, "vocab_size": 50}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
CLASSES = {  # family -> configuration, class that is saved, processor
    "vit": (transformers.ViTConfig(**VIT), "ViTForImageClassification", transformers.ViTImageProcessor(size={"height": 64, "width": 64})),
    "deit": (transformers.DeiTConfig(**VIT), "DeiTForImageClassificationWithTeacher", transformers.DeiTImageProcessor(size={"height": 73, "width": 73}, crop_size={"height": 64, "width": 64})),
    "beit": (transformers.BeitConfig(**VIT), "BeitForImageClassification", transformers.BeitImageProcessor(size={"height": 73, "width": 73}, crop_size={"height": 64, "width": 64}, do_center_crop=True)),
    "dinov2": (transformers.Dinov2Config(**VIT), "Dinov2Model", transformers.BitImageProcessor(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64})),
    "dinov2-registers": (transformers.Dinov2WithRegistersConfig(**VIT), "Dinov2WithRegistersForImageClassification", transformers.BitImageProcessor(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64})),
    "dinov3": (transformers.DINOv3ViTConfig(**VIT), "DINOv3ViTModel", transformers.DINOv3ViTImageProcessor(size={"height": 64, "width": 64})),
    "clip": (transformers.CLIPConfig(text_config=TEXT, vision_config=VIT, projection_dim=8), "CLIPModel", transformers.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})),
    "clip-tower": (transformers.CLIPVisionConfig(**VIT), "CLIPVisionModel", transformers.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})),
    "siglip": (transformers.SiglipConfig(text_config=TEXT, vision_config=VIT), "SiglipModel", transformers.SiglipImageProcessor(size={"height": 64, "width": 64})),
    "convnext": (transformers.ConvNextConfig(**STAGES), "ConvNextForImageClassification", transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875)),
    "convnextv2": (transformers.ConvNextV2Config(**STAGES), "ConvNextV2ForImageClassification", transformers.ConvNextImageProcessor(size={"shortest_edge": 384})),
    "swin": (transformers.SwinConfig(image_size=64, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 2, 2], window_size=4, patch_size=4), "SwinForImageClassification", transformers.ViTImageProcessor(size={"height": 64, "width": 64}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225], resample=3)),
    "resnet": (transformers.ResNetConfig(embedding_size=8, **STAGES), "ResNetForImageClassification", transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.9)),
    "regnet": (transformers.RegNetConfig(embedding_size=8, groups_width=8, **STAGES), "RegNetForImageClassification", transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.9)),
    "efficientnet": (transformers.EfficientNetConfig(image_size=64, width_coefficient=0.25, depth_coefficient=0.1, hidden_dim=320, initializer_range=0.5), "EfficientNetForImageClassification", transformers.EfficientNetImageProcessor(size={"height": 64, "width": 64}, rescale_offset=True, rescale_factor=1 / 127.5)),
    "mobilenet-v1": (transformers.MobileNetV1Config(depth_multiplier=0.25), "MobileNetV1ForImageClassification", transformers.MobileNetV1ImageProcessor(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64})),
    "mobilenet-v2": (transformers.MobileNetV2Config(depth_multiplier=0.35), "MobileNetV2ForImageClassification", transformers.MobileNetV2ImageProcessor(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64}, do_normalize=False)),
    "poolformer": (transformers.PoolFormerConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]), "PoolFormerForImageClassification", transformers.PoolFormerImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})),
    "levit": (transformers.LevitConfig(image_size=64, hidden_sizes=[16, 24, 32], num_attention_heads=[1, 2, 2], depths=[1, 1, 1], key_dim=[8, 8, 8]), "LevitForImageClassification", transformers.LevitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, do_rescale=False)),
    "focalnet": (transformers.FocalNetConfig(image_size=64, embed_dim=8, depths=[1, 1], focal_levels=[1, 1], focal_windows=[3, 3]), "FocalNetForImageClassification", transformers.BitImageProcessor(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64}, resample=1)),
}  # fmt: skip
SHAPES = {
    "landscape": (120, 80),
    "portrait": (81, 147),
    "tiny": (7, 5),
    "exact": (64, 64),
    "long": (300, 40),
    "even": (73, 73),
}
LEVEL = 1 / 255  # of a channel's values in [0, 1]: one level of a picture
# Those with torch round in another way: measured 10 levels where 7 × 5 pixels are made 73 × 73.
MOST = {"pil": 0.01 * LEVEL, "torchvision": 11 * LEVEL}
MEAN = {"pil": 0.001 * LEVEL, "torchvision": 0.6 * LEVEL}  # over a picture


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Family -> folder with a tiny model of random weights and its processor, made when it is asked for."""
    folders: dict[str, object] = {}

    def folder_of(family: str):
        if family not in folders:
            config, name, processor = CLASSES[family]
            folders[family] = folder = tmp_path_factory.mktemp("families") / family
            with torch.random.fork_rng():
                torch.manual_seed(0)
                getattr(transformers, name)(config).eval().save_pretrained(folder)
            processor.save_pretrained(folder)
        return folders[family]

    return folder_of


def picture(shape: str) -> Image.Image:
    """Smooth colours, an edge and some noise."""
    width, height = SHAPES[shape]
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(width)
    values = np.stack([x * 255 / width, y * 255 / height, 255.0 * ((x + 2 * y) % 23 < 11)], axis=-1)
    return Image.fromarray((values + rng.normal(0, 8, values.shape)).clip(0, 255).astype("uint8"))


def ours(model, one: Image.Image) -> torch.Tensor:
    prepared = model.preprocessing
    return prepared.normalise(torch.from_numpy(prepared.crop(one)[None].copy()))[0]


@pytest.mark.parametrize("backend", ["pil", "torchvision"])
@pytest.mark.parametrize("family", CLASSES)
def test_pictures_are_prepared_as_by_their_processor(saved, family, backend):
    folder = saved(family)
    model = load_model(f"hf:{folder}", pretrained=True, offline=True)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend=backend, local_files_only=True)
    except (ImportError, ValueError):
        pytest.skip(f"{family} has no processor with {backend}")
    if processor.backend != backend:
        pytest.skip(f"{family} has no processor with {backend}")

    for shape in SHAPES:
        theirs = torch.as_tensor(np.asarray(processor(picture(shape))["pixel_values"][0]))
        difference = (ours(model, picture(shape)) - theirs).abs() * torch.tensor(model.preprocessing.std).view(3, 1, 1)
        assert theirs.shape == difference.shape
        assert float(difference.max()) <= MOST[backend], shape
        assert float(difference.mean()) <= MEAN[backend], shape


@pytest.mark.parametrize("family", CLASSES)
def test_features_are_those_of_the_library(saved, family):
    folder = saved(family)
    model = load_model(f"hf:{folder}", pretrained=True, offline=True)
    batch = torch.stack([ours(model, picture(shape)) for shape in ("landscape", "exact")])

    with torch.inference_mode():
        width = model.width()
        features = model.module(batch)
        _config, name, _ = CLASSES[family]
        whole = getattr(transformers, name).from_pretrained(folder).eval()
        if family in ("clip", "siglip"):
            expected = whole.vision_model(pixel_values=batch).pooler_output
        elif hasattr(whole, "classifier") or hasattr(whole, "cls_classifier"):
            base = whole.base_model
            outputs = base(pixel_values=batch)
            token = any(n.endswith("cls_token") for n, _ in base.named_parameters())
            hidden, pooled = outputs.last_hidden_state, getattr(outputs, "pooler_output", None)
            expected = hidden[:, 0] if token else hidden.mean(dim=(2, 3)) if pooled is None else pooled.flatten(1)
        else:
            expected = whole(pixel_values=batch).pooler_output if family == "clip-tower" else whole(pixel_values=batch).last_hidden_state[:, 0]  # fmt: skip

    assert features.shape == (2, width)
    assert torch.isfinite(features).all()
    assert float(features.std()) > 0
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)


MAPS = {  # family -> strides of its maps
    "vit": (16,), "deit": (16,), "beit": (16,), "dinov2": (16,), "dinov2-registers": (16,), "dinov3": (16,), "clip": (16,), "siglip": (16,),
    "convnext": (4, 8, 16, 32), "convnextv2": (4, 8, 16, 32), "swin": (4, 8, 16), "resnet": (4, 8, 16, 32), "regnet": (2, 4, 8, 16, 32),
    "efficientnet": (2, 4, 8, 16, 32), "mobilenet-v1": (2, 4, 8, 16, 32), "mobilenet-v2": (2, 4, 8, 16, 32), "poolformer": (4, 8, 16, 32),
}  # fmt: skip


@pytest.mark.parametrize("family", MAPS)
def test_maps_have_the_strides_of_the_network_at_any_frame(saved, family):
    model = load_model(f"hf:{saved(family)}", pretrained=True, offline=True)

    pyramid = model.maps()

    assert set(pyramid.strides) <= set(MAPS[family])
    assert max(pyramid.strides) == max(MAPS[family])
    with torch.inference_mode():
        maps = pyramid.eval()(torch.randn(2, 3, 128, 96))
    for level, one in zip(pyramid.levels, maps, strict=True):
        assert tuple(one.shape) == (2, level.width, 128 // level.stride, 96 // level.stride)


def imagenet_names() -> dict[int, str]:
    from weigh.data.pictures.imagenet import names

    return dict(enumerate(names()))


@pytest.mark.parametrize("family", ["vit", "convnext", "dinov2-registers", "deit", "mobilenet-v2"])
def test_a_head_of_imagenet_answers_until_features_are_asked_for(tmp_path, family):
    config, name, processor = CLASSES[family]
    labels = imagenet_names()
    if family == "mobilenet-v2":
        labels = {0: "background", **{number + 1: label for number, label in labels.items()}}
    config = type(config)(**{**config.to_dict(), "id2label": labels, "label2id": {n: i for i, n in labels.items()}})
    whole = getattr(transformers, name)(config).eval()
    whole.save_pretrained(tmp_path / family)
    processor.save_pretrained(tmp_path / family)

    model = load_model(f"hf:{tmp_path / family}", pretrained=True, offline=True)
    digest = model.digest
    batch = torch.stack([ours(model, picture("landscape"))])
    with torch.inference_mode():
        answers = model.module(batch)
        torch.testing.assert_close(answers, whole(pixel_values=batch).logits)
        width = model.width()
        assert model.module(batch).shape == (1, width)

    assert model.classes == len(labels)
    assert model.imagenet[-1] == 999
    assert load_model(f"hf:{tmp_path / family}", pretrained=True, offline=True).digest == digest


def test_weigh_evaluate_takes_the_head_of_imagenet_and_the_order_of_its_labels(photos, tmp_path, capsys):
    """Labels of the checkpoint stand in another order than ImageNet's; every picture lies where the model itself would put it."""
    import json
    import shutil

    from weigh.cli.main import main
    from weigh.data.pictures.imagenet import synsets

    order = np.random.default_rng(0).permutation(1000)
    labels = {output: synsets()[number] for output, number in enumerate(order)}
    config = transformers.ViTConfig(
        **VIT, initializer_range=0.5, id2label=labels, label2id={name: i for i, name in labels.items()}
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = transformers.ViTForImageClassification(config).eval()
    whole.save_pretrained(tmp_path / "vit")
    CLASSES["vit"][2].save_pretrained(tmp_path / "vit")
    prepared = load_model(f"hf:{tmp_path / 'vit'}", pretrained=True, offline=True)
    for path in sorted(photos.rglob("*.png"))[::2]:
        with torch.inference_mode(), Image.open(path) as one:
            answer = int(whole(pixel_values=ours(prepared, one.convert("RGB"))[None]).logits.argmax())
        folder = tmp_path / "data" / labels[answer]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)

    options = [
        "--models",
        f"hf:{tmp_path / 'vit'}",
        "--format",
        "json",
        "--offline",
        "--quiet",
        "--set",
        "run.threads=1",
    ]
    assert main(["evaluate", str(tmp_path / "data"), *options]) == 0

    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert len(list((tmp_path / "data").iterdir())) > 1
    assert row["top1"]["value"] == 1.0


def test_a_head_of_other_classes_is_none_of_imagenet(saved):
    config = transformers.ViTConfig(**VIT, id2label={0: "ripe", 1: "unripe"}, label2id={"ripe": 0, "unripe": 1})
    folder = saved("vit").parent / "fruit"
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    CLASSES["vit"][2].save_pretrained(folder)

    assert load_model(f"hf:{folder}", pretrained=True, offline=True).classes == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"do_resize": False}, "leaves pictures as large as they are"),
        ({"size": {"height": 64, "width": 32}}, "pictures are of size"),
        ({"do_center_crop": True, "crop_size": {"height": 99, "width": 99}}, "then cut to 99 pixels"),
        ({"image_std": [0.5, 0.0, 0.5]}, "divided by"),
        ({"resample": 17}, "17"),
        ({"image_mean": [0.5], "image_std": [0.5, 0.5]}, "2 channels"),
    ],
)
def test_what_a_processor_does_that_we_cannot_is_named(saved, tmp_path, settings, words):
    import json
    import shutil

    folder = tmp_path / "odd"
    shutil.copytree(saved("vit"), folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))

    with pytest.raises(ModelError, match=words):
        load_model(f"hf:{folder}", pretrained=True, offline=True)


def test_weights_that_do_not_fit_are_not_left_to_chance(saved, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "other"
    shutil.copytree(saved("vit"), folder)
    state = load_file(folder / "model.safetensors")
    save_file({f"other.{name}": value for name, value in state.items()}, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(ModelError, match="its weights lack"):
        load_model(f"hf:{folder}", pretrained=True, offline=True)


def test_models_of_timm_and_open_clip_are_shown_the_way(tmp_path):
    (tmp_path / "config.json").write_text('{"architecture": "resnet18", "pretrained_cfg": {"tag": "a1_in1k"}}')
    with pytest.raises(ModelError, match=r"timm:resnet18\.a1_in1k"):
        load_model(f"hf:{tmp_path}", pretrained=True, offline=True)
    (tmp_path / "config.json").unlink()
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"weigh models 'timm:\*clip\*'"):
        load_model(f"hf:{tmp_path}", pretrained=True, offline=True)


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"README.md": "---\nlicense: mit\n---\n# A model"}, "mit"),
        ({"README.md": "---\nlicense: other\nlicense_name: dinov3-license\nextra_gated_fields: {}\n---\n"}, "dinov3-license, gated"),
        ({"LICENSE": "\n  Apache License\nVersion 2.0"}, "Apache License"),
        ({"LICENSE.md": "# DINOv3 License\n"}, "DINOv3 License"),
        ({"README.md": "# no head\n"}, ""),
        ({"README.md": "---\nlicense: [broken\n---\n"}, ""),
        ({"README.md": "---\nlicense: {a: b}\n---\n"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_the_licence_is_what_the_card_or_the_file_says(tmp_path, files, licence):
    from weigh.models.hf_folder import licence_of

    for name, content in files.items():
        (tmp_path / name).write_text(content)

    assert licence_of(tmp_path) == licence
