"""The recipes: how pretrained weights are used. Facts only, no torch; the work is in `probe.py` and `network.py`.

What can be set of each stands in `recipe_defaults.py`.
"""

from __future__ import annotations

from weigh.language import text
from weigh.run import ANY, RECIPES, Recipe
from weigh.train import choosing_defaults as choosing
from weigh.train import recipe_defaults as options

RECIPES.register(
    "probe",
    Recipe(
        name="probe",
        title=text(
            "linear head on the frozen network; strength chosen inside the training folds",
            "冻结网络上的线性头；正则强度在训练折内选择",
        ),
        trains="head",
        options={"pictures": options.PictureHead, "texts": options.TextHead, ANY: options.Head},
        fit="weigh.train.probe:fit",
        per_example=True,
        placed="decoder",
    ),
)
RECIPES.register(
    "multilayer",
    Recipe(
        name="multilayer",
        title=text(
            "as probe, but the head reads several layers of the network, not the last alone",
            "与 probe 相同，但线性头读取网络的多个层，而不只是最后一层",
        ),
        trains="head",
        options={"pictures": options.PictureLayers, "texts": options.TextLayers},
        fit="weigh.train.probe:fit",
        layers=True,
        per_example=True,
        placed="decoder",
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
        options={
            **options.placed("network"),
            "pictures": options.FinetunedPictures,
            "texts": options.FinetunedTexts,
            "spans": options.FinetunedSpans,
            ANY: options.Network,
        },
        fit="weigh.train.network:fit",
    ),
)
RECIPES.register(
    "decoder",
    Recipe(
        name="decoder",
        title=text(
            "a light decoder trained on the maps of the frozen network, which are computed once",
            "冻结网络并只计算一次其特征图，在其上训练轻量解码器",
        ),
        trains="network",
        options=options.placed("head"),
        fit="weigh.train.network:fit",
        frozen="head",
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
        options={**options.placed("head"), "pictures": options.LastStage},
        fit="weigh.train.network:fit",
        frozen="last-stage",
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
            "pictures": options.FinetunedPictures,
            "texts": options.ProbedTexts,
            ANY: options.ProbedNetwork,
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
        options={
            "pictures": options.FinetunedPictures,
            "texts": options.FinetunedTexts,
            "spans": options.FinetunedSpans,
        },
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
        options={"texts": options.Joint},
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
        options={"texts": options.Adapters},
        fit="weigh.train.network:fit",
        low_rank=True,
    ),
)
RECIPES.register(
    "naive-bayes",
    Recipe(
        name="naive-bayes",
        title=text(
            "baseline of texts without a pretrained model: counted words, TF-IDF, naive Bayes",
            "不用预训练模型的文本基线：词频统计、TF-IDF、朴素贝叶斯",
        ),
        trains="head",
        options={"texts": options.NaiveBayes},
        fit="weigh.train.naive_bayes:fit",
        per_example=True,
        probable=True,
        model="words:tfidf",
    ),
)
RECIPES.register(
    "auto",
    Recipe(
        name="auto",
        title=text(
            "the recipe chosen inside the training folds: those that are tried race on parts held back from them",
            "在训练折内选择方案：各方案在其中留出的部分上竞速",
        ),
        trains="network",
        options={"pictures": choosing.AutoPictures, "texts": choosing.AutoTexts},
        fit="weigh.train.inner_choice:fit",
        per_example=True,
        chooses="recipe",
    ),
)
RECIPES.register(
    "tuned",
    Recipe(
        name="tuned",
        title=text(
            "finetune with learning rate, weight decay and epochs searched inside the training folds (Optuna)",
            "微调，学习率、权重衰减和轮数在训练折内搜索（Optuna）",
        ),
        trains="network",
        options={
            "pictures": choosing.TunedPictures,
            "texts": choosing.TunedTexts,
            "spans": choosing.TunedSpans,
        },
        fit="weigh.train.inner_choice:fit",
        chooses="settings",
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
            **options.placed("random"),
            "pictures": options.RandomPictureNetwork,
            "texts": options.RandomTextNetwork,
            ANY: options.RandomNetwork,
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
        options={"pictures": options.Textbook},
        fit="weigh.train.network:fit",
        control=True,
    ),
)
