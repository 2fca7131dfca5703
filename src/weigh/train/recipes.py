"""The recipes: how pretrained weights are used. Facts only, no torch; the work is in `probe.py` and `network.py`.

`options` are those that a recipe understands, by what its models read; where one is None the model's own value is taken.
"""

from __future__ import annotations

from weigh.language import text
from weigh.run import ANY, RECIPES, Recipe

__all__ = ["STRENGTHS"]

# L2 strengths of a probe: penalty per example on standardised features (scikit-learn's C = 1 / (strength x examples)).
STRENGTHS = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]

_HEAD = {"strengths": STRENGTHS, "class_weights": "none", "decision": "auto"}
_NETWORK = {
    "epochs": 12,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "layer_decay": 0.8,
    "batch_size": 16,
    "patience": 4,
    "validation": 0.2,
    "average": 1,
    "class_weights": "none",
    "decision": "auto",
}
_SQUARE = {"image_size": None}
_PICTURE_NETWORK = {**_NETWORK, "augment": "standard", **_SQUARE}

# Small encoders, short schedules: the rates of Mosbach et al. 2021 (§6: bias correction, warm-up, until the loss is
# small) for 20 to 120 million parameters; not tuned, see docs/decisions/text-recipes.md.
_TEXT_NETWORK = {
    "epochs": 6,
    "learning_rate": 1e-4,
    "weight_decay": 0.01,
    "layer_decay": 0.9,
    "batch_size": 32,
    "patience": 2,
    "validation": 0.1,
    "average": 1,
    "max_length": None,
    "pooling": None,
    "class_weights": "none",
    "decision": "auto",
}

RECIPES.register(
    "probe",
    Recipe(
        name="probe",
        title=text(
            "linear head on the frozen network; strength chosen inside the training folds",
            "冻结网络上的线性头；正则强度在训练折内选择",
        ),
        trains="head",
        options={
            "pictures": {**_HEAD, **_SQUARE},
            "texts": {**_HEAD, "max_length": None, "pooling": None, "layers": None},
            ANY: _HEAD,
        },
        fit="weigh.train.probe:fit",
        per_example=True,
    ),
)
RECIPES.register(
    "finetune",
    Recipe(
        name="finetune",
        title=text(
            "the whole network trained (AdamW, layer-wise rates); epoch chosen inside the training folds",
            "训练整个网络（AdamW，逐层学习率）；轮数在训练折内选择",
        ),
        trains="network",
        options={"pictures": _PICTURE_NETWORK, "texts": _TEXT_NETWORK, ANY: _NETWORK},
        fit="weigh.train.network:fit",
    ),
)
RECIPES.register(
    "last-stage",
    Recipe(
        name="last-stage",
        title=text(
            "the last stage and the head trained on activations of the frozen rest, which are computed once",
            "冻结其余部分并只计算一次其激活值，在其上训练最后一个阶段和分类头",
        ),
        trains="network",
        options={"pictures": {**_NETWORK, **_SQUARE, "views": 2}},
        fit="weigh.train.network:fit",
        frozen=True,
    ),
)
RECIPES.register(
    "lp-ft",
    Recipe(
        name="lp-ft",
        title=text(
            "probe first, then the whole network trained from that head (Kumar et al. 2022)",
            "先训练线性头，再由此训练整个网络（Kumar 等，2022）",
        ),
        trains="network",
        options={
            "pictures": {**_PICTURE_NETWORK, "learning_rate": 3e-4, "epochs": 8},
            "texts": {**_TEXT_NETWORK, "epochs": 4},
            ANY: {**_NETWORK, "learning_rate": 3e-4, "epochs": 8},
        },
        per_example=True,
        fit="weigh.train.network:fit",
    ),
)
RECIPES.register(
    "adapted",
    Recipe(
        name="adapted",
        title=text(
            "pretrained further on data without labels (pretrain.texts, pretrain.pictures), then fine-tuned (Gururangan et al. 2020)",
            "先在无标签数据（pretrain.texts、pretrain.pictures）上继续预训练，再微调（Gururangan 等，2020）",
        ),
        trains="network",
        options={"pictures": _PICTURE_NETWORK, "texts": _TEXT_NETWORK},
        fit="weigh.train.network:fit",
        unlabelled="before",
    ),
)
RECIPES.register(
    "joint",
    Recipe(
        name="joint",
        title=text(
            "fine-tuned while it goes on guessing hidden words of texts without labels: L_pre + fine_weight x L_fine",
            "微调的同时继续在无标签文本上猜被遮盖的词：L_pre + fine_weight × L_fine",
        ),
        trains="network",
        options={"texts": {**_TEXT_NETWORK, "fine_weight": 1.0}},
        fit="weigh.train.network:fit",
        unlabelled="beside",
    ),
)
RECIPES.register(
    "lora",
    Recipe(
        name="lora",
        title=text(
            "low-rank adapters beside every linear layer of a text encoder, added to its weights afterwards (Hu et al. 2021)",
            "在文本编码器的每个线性层旁训练低秩适配器，训练后并入权重（Hu 等，2021）",
        ),
        trains="network",
        options={
            "texts": {
                "rank": 8,
                "alpha": 16.0,
                "dropout": 0.0,
                "targets": "all-linear",
                **_TEXT_NETWORK,
                "epochs": 10,
                "learning_rate": 1e-3,
                "layer_decay": 1.0,
                "patience": 3,
            }
        },
        fit="weigh.train.network:fit",
        low_rank=True,
    ),
)
RECIPES.register(
    "scratch",
    Recipe(
        name="scratch",
        title=text(
            "control: the same architecture from random weights; says what pretraining is worth",
            "对照：同一架构随机初始化；用来衡量预训练的价值",
        ),
        trains="network",
        options={
            "pictures": {**_PICTURE_NETWORK, "layer_decay": 1.0},
            "texts": {**_TEXT_NETWORK, "layer_decay": 1.0},
            ANY: {**_NETWORK, "layer_decay": 1.0},
        },
        fit="weigh.train.network:fit",
        pretrained=False,
        control=True,
    ),
)
RECIPES.register(
    "textbook",
    Recipe(
        name="textbook",
        title=text(
            "comparator: what tutorials do (SGD 0.001, momentum 0.9, ten epochs, no augmentation, no validation)",
            "对照：教程式做法（SGD 0.001，动量 0.9，十轮，无增强，无验证）",
        ),
        trains="network",
        options={"pictures": {"epochs": 10, "learning_rate": 1e-3, "batch_size": 16, "image_size": None}},
        fit="weigh.train.network:fit",
        control=True,
    ),
)
