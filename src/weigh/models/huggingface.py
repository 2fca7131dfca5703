"""Models of the transformers library: `hf:OWNER/NAME` of the model hub, or `hf:./folder`.

Weights are read from safetensors; code of a repository is never run. Offline, packages of the catalogue answer to their hub names. Where
the files come from: `hf_folder.py`; what texts and pictures need: `hf_texts.py`, `hf_pictures.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from weigh.data.pictures.imagenet import classes_of_outputs
from weigh.errors import MissingExtra, ModelError, WeighError, reason_of
from weigh.language import text
from weigh.models import encoder, hf_masks, hf_pictures
from weigh.models.address import Address, parse_address
from weigh.models.anatomy import Anatomy
from weigh.models.catalogue import CATALOGUE, find_packaged
from weigh.models.hf_boxes import anatomy_of, class_names, is_of_boxes, preprocessing_of_boxes
from weigh.models.hf_folder import WEIGHTS, digest_of_configuration, files_of, find_folder, settings_of
from weigh.models.hf_masks import PixelEncoder, is_of_masks, without_helpers
from weigh.models.hf_pictures import (
    PictureEncoder,
    family_with_head,
    is_of_pictures,
    names_of_outputs,
    settings_of_pictures,
    without_texts,
)
from weigh.models.hf_processor import preprocessing
from weigh.models.hf_texts import settings_of_texts, text_encoder, tokenisation
from weigh.models.hub import cached_from_hub
from weigh.models.limits import check_settings, check_size
from weigh.models.own_losses import refuse_sets
from weigh.models.preparation import Preparation
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.tokenisation import Tokenisation

__all__ = ["load", "names", "rebuild"]


def names(pattern: str) -> list[str]:
    """Names of the catalogue, the local cache's encoders being unknown until they are asked for."""
    import fnmatch

    known = [entry.address.partition(":")[2] for entry in CATALOGUE if entry.address.startswith("hf:")]
    return [name for name in known if fnmatch.fnmatchcase(name, pattern)]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers", text("models of its library (hf:)", "该库的模型（hf:）"), "text") from None
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    packaged = find_packaged(address.written)
    folder, provenance = find_folder(address, packaged, pretrained=pretrained, offline=offline)
    settings = settings_of(folder, provenance)
    check_settings(address.written, settings)
    refuse_timm(address, settings)
    try:
        config = without_texts(
            transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        )
        refuse_sets(config, address.written)
        module = _module(folder, config, pretrained=pretrained)
        sees = is_of_pictures(config) or is_of_masks(config)
        if is_of_boxes(config):
            preparation = preprocessing_of_boxes(folder)
        else:
            preparation = (
                preprocessing(folder, config, whole=is_of_masks(config))
                if sees
                else tokenisation(folder, config, address.name)
            )
        body, anatomy = _body(module, config, preparation, folder, pretrained=pretrained)
    except WeighError:
        raise
    except Exception as error:  # a library that reads a stranger's settings raises almost anything
        raise ModelError(
            text(
                "{a} cannot be used: {e}",
                "无法使用 {a}：{e}",
                a=address.written,
                e=reason_of(error, 300),
            ),
            text(
                "Encoders with safetensors and a fast tokenizer are read; code of a repository is never run.",
                "支持带 safetensors 和快速分词器的编码器；绝不运行仓库中的代码。",
            ),
        ) from None
    files = files_of(folder, pretrained=pretrained)
    provenance = replace(provenance, files=files) if pretrained else Provenance("random", files=files)
    extra = {
        "config": json.loads(config.to_json_string(use_diff=False)),
        "configured_by": digest_of_configuration(folder),
    }
    names = class_names(config) if is_of_boxes(config) else ()
    outputs = names_of_outputs(config) if pretrained and is_of_pictures(config) and family_with_head(config) else ()
    imagenet = classes_of_outputs(outputs) if outputs else None
    if imagenet is None and not all(name == f"LABEL_{number}" for number, name in enumerate(outputs)):
        outputs = ()  # of other classes, also where there are 1,000 of them
    classes = len(names or outputs)
    return Pretrained(address, body, preparation, provenance, classes, extra, anatomy, imagenet, names=names)


def refuse_timm(address: Address, settings: dict[str, Any]) -> None:
    """Raise an error for a repository of timm, whose models the source `timm:` reads.

    Raises:
        ModelError: Says under which address.
    """
    if "model_type" in settings or not isinstance(name := settings.get("architecture"), str):
        return
    tag = settings.get("pretrained_cfg", {}).get("tag") if isinstance(settings.get("pretrained_cfg"), dict) else None
    raise ModelError(
        text("{a} is a model of timm.", "{a} 是 timm 的模型。", a=address.written),
        do=text("Write timm:{n}", "请写成 timm:{n}", n=f"{name}.{tag}" if tag else name),
    )


def rebuild(address: str, config: dict[str, Any], fields: dict[str, Any], read: Callable[[str], str]) -> Pretrained:
    """A saved model's encoder with random weights, from its configuration alone (`Pretrained.extra["config"]`)."""
    import transformers

    check_settings(address, config)
    made = transformers.AutoConfig.for_model(**config)
    module = _module(Path(), made, pretrained=False)
    preparation: Preparation = (
        Preprocessing.from_json(fields)
        if is_of_pictures(made) or is_of_masks(made) or is_of_boxes(made)
        else Tokenisation(written=read("tokenizer.json"), **fields)
    )
    body, anatomy = _body(module, made, preparation, None, pretrained=False)
    return Pretrained(parse_address(address), body, preparation, Provenance("random"), 0, anatomy=anatomy)


def _body(
    module: nn.Module, config: Any, preparation: Any, folder: Path | None, *, pretrained: bool
) -> tuple[nn.Module, Anatomy]:
    if is_of_boxes(config):
        return module, anatomy_of(config)
    if is_of_masks(config):
        return PixelEncoder(module), hf_masks.ANATOMY
    if is_of_pictures(config):
        family = family_with_head(config) if pretrained else None
        headed = None if family is None else lambda: _read(family, folder, config, {})
        return PictureEncoder(module, headed), hf_pictures.ANATOMY
    return text_encoder(module, config, preparation, folder), encoder.ANATOMY


def _module(folder: Path, config: Any, *, pretrained: bool) -> torch.nn.Module:
    """The encoder without pooling layer or language-model head, in float32."""
    import transformers

    library: Any = transformers.AutoModel
    if is_of_masks(config):
        library, plain, config = transformers.AutoModelForSemanticSegmentation, {}, without_helpers(config)
    elif is_of_boxes(config):
        library, plain, config = transformers.AutoModelForObjectDetection, {}, without_helpers(config)
    else:
        plain = settings_of_pictures(config) if is_of_pictures(config) else settings_of_texts(config)
    family = library._model_mapping[type(config)]
    # Said here, since a configuration may name a kernel that would be fetched from the hub and run.
    fused = getattr(family, "_supports_sdpa", False) and not is_of_boxes(
        config
    )  # what stands in a detector may not know it
    plain["attn_implementation"] = "sdpa" if fused else "eager"
    with torch.device("meta"):  # takes no memory
        outline = library.from_config(config, trust_remote_code=False, **plain)
    check_size(folder, sum(p.numel() for p in outline.parameters()), pretrained=pretrained)
    if not pretrained:
        return library.from_config(config, trust_remote_code=False, **plain).float()
    return _read(library, folder, config, plain)


def _read(library: Any, folder: Path, config: Any, settings: dict[str, Any]) -> torch.nn.Module:
    """The module with the weights of a folder, all of them."""
    module, report = library.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
        **settings,
    )
    if missing := sorted(report["missing_keys"]):  # would be random
        raise ValueError(f"its weights lack {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
    return module


def _cached(name: str) -> bool:
    repository, _, revision = name.partition("@")
    return cached_from_hub(repository, WEIGHTS, revision or None) is not None


MODEL_SOURCES.register("hf", ModelSource(load, names, _cached, rebuild, outlined=True))
