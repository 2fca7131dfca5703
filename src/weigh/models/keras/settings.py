"""A stranger's Keras configuration, cleaned: only layers of a list, of each only the settings of a list, of these only plain values.

What comes out is a configuration of the same form, so Keras itself can be given it (`reference.py`), and nothing in it can name code.
Initialisers, regularisers and constraints are objects of classes by name, which is how such files run code (CVE-2025-1550): they only
matter before training and are dropped. Torch-free and Keras-free. After it: `graph.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from weigh.errors import ModelError
from weigh.language import Text, text

__all__ = ["TENSOR", "cleaned", "refused"]

TENSOR = "__keras_tensor__"
RUNS_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
MODELS = ("Functional", "Model", "Sequential")
AUGMENTS = ("RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomTranslation", "RandomBrightness", "RandomCrop",
            "GaussianNoise", "GaussianDropout", "ActivityRegularization")  # fmt: skip
MOST_LAYERS = 5_000
MOST_NUMBER = 10_000_000  # of any setting
MOST_ITEMS = 2_000_000  # values in all
DEEPEST = 8  # models within models
ACTIVATIONS = (
    "linear", "relu", "relu6", "silu", "swish", "gelu", "sigmoid", "softmax", "hard_sigmoid", "hard_silu", "hard_swish", "tanh", "elu", "selu",
    "softplus", "mish", "leaky_relu",
)  # fmt: skip

_POOL = "pool_size strides padding data_format"
_CONVOLUTION = "kernel_size strides padding data_format dilation_rate activation use_bias"
LAYERS = {  # class -> settings that are kept
    "InputLayer": "batch_shape shape",
    "Conv2D": f"filters groups {_CONVOLUTION}",
    "DepthwiseConv2D": f"depth_multiplier {_CONVOLUTION}",
    "SeparableConv2D": f"filters depth_multiplier {_CONVOLUTION}",
    "Dense": "units activation use_bias",
    "BatchNormalization": "axis momentum epsilon center scale",
    "LayerNormalization": "axis epsilon center scale",
    "Activation": "activation",
    "ReLU": "max_value negative_slope threshold",
    "LeakyReLU": "negative_slope",
    "ELU": "alpha",
    "Softmax": "axis",
    "Dropout": "rate noise_shape",
    "SpatialDropout2D": "rate data_format",
    "ZeroPadding2D": "padding data_format",
    "Cropping2D": "cropping data_format",
    "UpSampling2D": "size interpolation data_format",
    "MaxPooling2D": _POOL,
    "AveragePooling2D": _POOL,
    "GlobalAveragePooling2D": "data_format keepdims",
    "GlobalMaxPooling2D": "data_format keepdims",
    "Rescaling": "scale offset",
    "Normalization": "axis mean variance invert",
    "Reshape": "target_shape",
    "Flatten": "data_format",
    "Add": "",
    "Subtract": "",
    "Multiply": "",
    "Average": "",
    "Maximum": "",
    "Minimum": "",
    "Concatenate": "axis",
    "Identity": "",
    # only Keras itself computes these: models with them are offered with frozen features
    "Conv2DTranspose": f"filters output_padding {_CONVOLUTION}",
    "PReLU": "shared_axes",
    "GroupNormalization": "groups axis epsilon center scale",
    "UnitNormalization": "axis",
    "Permute": "dims",
    "GlobalAveragePooling1D": "data_format keepdims",
    "GlobalMaxPooling1D": "data_format keepdims",
}
INNER = {  # layers that keras.applications defines for itself
    "LayerScale": ("keras.src.applications.convnext", "init_values projection_dim"),
    "CustomScaleLayer": ("keras.src.applications.inception_resnet_v2", "scale"),
}
OPERATIONS = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide")  # of tensors and numbers, in "keras.src.ops.numpy"


def refused(address: str, what: Text, do: Text | None = None) -> ModelError:
    """The error for a file that nobody should load."""
    return ModelError(
        text("{a}: {w}.", "{a}：{w}。", a=address, w=what),
        text(
            "Files of models come from strangers; only known layers with plain settings are read, and no code of a file is run.",
            "模型文件可能来自他人；只读取已知的层及其普通设置，绝不运行文件中的代码。",
        ),
        do
        or text(
            "Take a model of known layers, or rebuild it in Keras without that part and save it again.",
            "请换用由已知层组成的模型，或在 Keras 中去掉该部分后重新保存。",
        ),
    )


def cleaned(config: Any, address: str) -> dict[str, Any]:
    """The configuration of a functional or sequential model with nothing but what is known.

    Raises:
        ModelError: A layer or a value that is not known; names it.
    """
    _check_plain(config, address)
    counted = iter(range(MOST_LAYERS))
    return _model(config, address, counted, 0)


def _check_plain(config: Any, address: str) -> None:
    """Raise an error where there are more values than any model has."""
    waiting, seen = [config], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        if seen > MOST_ITEMS:
            raise refused(address, text("its configuration has more than {m} values", "其配置包含超过 {m} 个值", m=f"{MOST_ITEMS:,}"))  # fmt: skip


def _model(saved: Any, address: str, counted: Iterator[int], depth: int) -> dict[str, Any]:
    name, config = _kind_of(saved, address), saved.get("config")
    if name not in MODELS:
        raise refused(address, text("it is a {c}, not a functional or sequential model", "它是 {c}，而不是函数式或顺序模型", c=name))  # fmt: skip
    if depth > DEEPEST or not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise refused(address, text("its layers are not listed as Keras 3 lists them", "其中的层不是按 Keras 3 的方式列出的"), _again())  # fmt: skip
    kept: dict[str, Any] = {"name": _name_of(config, address)}
    if name == "Sequential":
        shape = (saved.get("build_config") or {}).get("input_shape") or config.get("build_input_shape")
        kept["build_input_shape"] = _plain(shape, address, "build_input_shape")
    else:
        kept["input_layers"] = _plain(config.get("input_layers"), address, "input_layers")
        kept["output_layers"] = _plain(config.get("output_layers"), address, "output_layers")
    kept["layers"] = [_layer(layer, address, counted, depth) for layer in config["layers"]]
    if name == "Sequential":
        return {"module": "keras", "class_name": "Sequential", "config": kept, "registered_name": None}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": kept,
        "registered_name": "Functional",
    }


def _layer(saved: Any, address: str, counted: Iterator[int], depth: int) -> dict[str, Any]:
    if next(counted, None) is None:
        raise refused(address, text("it has more than {m} layers", "其层数超过 {m}", m=f"{MOST_LAYERS:,}"))
    kind, module = _kind_of(saved, address), str(saved.get("module"))
    if kind in MODELS:
        clean = _model(saved, address, counted, depth + 1)
    else:
        operation = module.startswith("keras.src.ops.") and kind in OPERATIONS
        builtin = module == "keras.layers" or module.startswith("keras.src.layers.")
        inner = INNER.get(kind)
        if kind in RUNS_CODE or not (operation or (builtin and kind in {*LAYERS, *AUGMENTS}) or (inner and module == inner[0])):  # fmt: skip
            why = text("which can run code", "它可以运行代码") if kind in RUNS_CODE else text("which is not among those that are known", "它不在已知的层之中")  # fmt: skip
            shown = f"{module}.{kind}"[:120]
            raise refused(address, text("it has the layer {c}, {w}", "它含有层 {c}，{w}", c=shown, w=why))
        config = saved.get("config")
        if not isinstance(config, dict):
            raise refused(address, text("a layer {c} has no settings", "层 {c} 没有设置", c=kind))
        settings: dict[str, Any] = {"name": _name_of(config, address)}
        if kind in AUGMENTS and builtin:  # do something in training only, where this house has its own
            kind, wanted = "Identity", ""
        else:
            wanted = "" if operation else inner[1] if inner else LAYERS[kind]
        for setting in wanted.split():
            if setting in config:
                value = config[setting]
                settings[setting] = (
                    _activation(value, address) if setting == "activation" else _plain(value, address, setting)
                )
        home = "keras.src.ops.numpy" if operation else inner[0] if inner else "keras.layers"
        clean = {"module": home, "class_name": kind, "config": settings, "registered_name": None}
    clean["name"] = clean["config"]["name"]
    if "inbound_nodes" in saved:
        clean["inbound_nodes"] = [_node(node, address) for node in _list(saved["inbound_nodes"], address)]
    return clean


def _node(node: Any, address: str) -> dict[str, Any]:
    """What a layer is called with: tensors and numbers. Of what has a name only tensors matter here (`training`, `mask` do not)."""
    if not isinstance(node, dict):
        raise refused(address, text("it was saved by Keras 2", "它是由 Keras 2 保存的"), _again())
    args = _tensors(node.get("args", []), address)
    named = node.get("kwargs") or {}
    kept = {key: _tensors(value, address) for key, value in named.items() if isinstance(value, (dict, list)) and key != "mask"}  # fmt: skip
    return {"args": args, "kwargs": kept}


def _tensors(value: Any, address: str) -> Any:
    if isinstance(value, list):
        return [_tensors(inner, address) for inner in value]
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") != TENSOR or not isinstance(config, dict):
            raise refused(address, text("a layer is called with a {c}", "有一层的输入是 {c}", c=str(value.get("class_name"))[:60]))  # fmt: skip
        history = config.get("keras_history")
        if not (isinstance(history, list) and len(history) == 3 and isinstance(history[0], str) and all(isinstance(n, int) for n in history[1:])):  # fmt: skip
            raise refused(address, text("an input of a layer comes from nowhere", "有一层的输入没有来源"))
        shape = _plain(config.get("shape"), address, "shape")
        return {"class_name": TENSOR, "config": {"shape": shape, "dtype": "float32", "keras_history": history}}
    return _plain(value, address, "args")


def _plain(value: Any, address: str, setting: str) -> Any:
    if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= MOST_NUMBER):
        shown = f"{value:.3g}" if isinstance(value, float) or abs(value) < 1e300 else "> 1e300"
        raise refused(address, text("the setting {s} is {v}, more than {m}", "设置 {s} 为 {v}，超过 {m}", s=setting, v=shown, m=f"{MOST_NUMBER:,}"))  # fmt: skip
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and len(value) <= 200:
        return value
    if isinstance(value, list):
        return [_plain(inner, address, setting) for inner in value]
    raise refused(address, text("the setting {s} is no plain value", "设置 {s} 不是普通的值", s=setting))


def _activation(value: Any, address: str) -> str:
    """Its name; Keras writes it as such or as an object."""
    if isinstance(value, dict):
        module, value = str(value.get("module")), value.get("config")
        if isinstance(value, dict):
            value = value.get("name")
        if module not in ("builtins", "keras.activations", "None") and not module.startswith("keras.src.activations"):
            value = f"{module}.{value}"
    if value is None:
        return "linear"
    if value not in ACTIVATIONS:
        raise refused(address, text("it has the activation {c}, which is not known", "它含有未知的激活函数 {c}", c=str(value)[:80]))  # fmt: skip
    return str(value)


def _kind_of(saved: Any, address: str) -> str:
    if not isinstance(saved, dict) or not isinstance(saved.get("class_name"), str):
        raise refused(address, text("its configuration is not that of a Keras model", "其配置不是 Keras 模型的配置"))
    return saved["class_name"]


def _name_of(config: dict[str, Any], address: str) -> str:
    name = config.get("name")
    if not isinstance(name, str) or not name or len(name) > 200 or not name.isprintable():
        raise refused(address, text("a layer has no valid name", "有一层没有有效的名称"))
    return name


def _list(value: Any, address: str) -> list[Any]:
    if not isinstance(value, list):
        raise refused(address, text("its layers are not listed as Keras 3 lists them", "其中的层不是按 Keras 3 的方式列出的"), _again())  # fmt: skip
    return value


def _again() -> Text:
    return text(
        "Open it with Keras 3 and save it again: keras.models.load_model(…).save('model.keras')",
        "请用 Keras 3 打开并重新保存：keras.models.load_model(…).save('model.keras')",
    )
