"""What examples are made of: pictures, texts, sentences in tokens. One class each; no torch. Third parties add one under the entry point `medium.NAME`.

A medium knows the words for its examples and what is peculiar to them; nobody else asks *which* medium it is. How examples are read:
`data/readers.py`; how they are fed to networks: `inputs/`. Both look a medium up by its name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from weigh.language import Text, text
from weigh.nouns import Noun
from weigh.registry import Registry

__all__ = ["MEDIA", "PICTURES", "SENTENCES", "TEXTS", "Medium", "joined_tokens", "medium_named"]


PICTURES = Noun(
    text("pictures", "图片"),
    text("pictures", "张图片"),
    text("picture", "张图片"),
    text("", "张"),
    text("files", "个文件"),
    text("files", "文件"),
    text("", "个"),
)
TEXTS = Noun.plain("texts", "text", "文本", "条")
SENTENCES = Noun.plain("sentences", "sentence", "句子", "个")


class Medium:
    """What all media can be asked. An instance holds no state; a `row` is one entry of `Examples.rows`, what one example is made of
    where that is no file.

    Attributes:
        name: As tasks name it.
        reads: What models must be made for, as their preparations name it.
        noun: What an example is called in a sentence.
        title: What models read, in a message.
        source: Where models of it come from, in a message; empty where nothing ships with weigh.
        typed: Models as they are typed, for an example, and a pattern that lists more; empty where nothing ships with weigh.
        new_files: What to type for new examples after `weigh predict STUDY`.
        one_table: New examples stand in one file; else every file is an example.
        checked: What its checks look for, to be said where they found nothing.
        altered: How near copies of it usually come about, in brackets; may be empty.
        near_leak: Where a small change can make another example: why near copies in the test part may matter. None: a near copy is a copy, and two
            labels of one contradict each other.
        near_do: What to do about near copies within a part; None: delete them.
        in_words: A word can be taken out of an example, to see what it did (`train/words.py`).
        in_windows: An example that is longer than a model reads is given to it in pieces that overlap, so nothing of it is cut off.
        pretraining: Options of the section `pretrain` that only this medium has.
        least_steps: Of the optimiser, below which a budget does not shorten the training of a network (docs/decisions/budget.md): of pictures 216 did
            not bring one past a probe, and that 300 do is not measured; of whole texts 52 to 56 did.
        opened_elsewhere: How other libraries open its saved models, for the model card, in Markdown.
    """

    name: str
    reads: str
    noun: Noun
    title: Text
    source = text("", "")
    typed: tuple[str, str] | tuple[()] = ()
    new_files = "new.csv"
    one_table = True
    checked = text(
        "identical copies, copies across training and test, labels that contradict each other, class sizes",
        "相同的副本、跨训练与测试的副本、互相矛盾的标签、类别大小",
    )
    altered = text("", "")
    near_leak: Text | None = None
    near_do: Text | None = None
    least_steps = 300
    in_words = False
    in_windows = False
    pretraining: tuple[str, ...] = ()
    opened_elsewhere: tuple[str, ...] = ()

    def quoted(self, row: Any) -> tuple[str, ...]:
        """An example as texts that a reader is shown: one, or the two of a pair."""
        raise NotImplementedError

    def is_pair(self, row: Any) -> bool:
        """Whether an example is two things that a network may be given apart."""
        return False

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return medium_named, (self.name,)

    def __repr__(self) -> str:
        return f"<medium {self.name}>"


class Pictures(Medium):
    name = reads = "pictures"
    noun, title = PICTURES, text("pictures", "图片")
    source = text("of pictures: timm:…, torchvision:…, hf:…", "图片模型：timm:…、torchvision:…、hf:…")
    typed = ("timm:tf_efficientnet_lite0,timm:resnet18", "timm:*lite*")
    new_files = "new/*.jpg"
    one_table = False
    checked = text(
        "files that open, identical and near copies, copies across training and test, labels that contradict each other, class sizes, odd pictures",
        "文件能否打开、相同与近似副本、跨训练与测试的副本、互相矛盾的标签、类别大小、异常图片",
    )
    altered = text(" (rescaled, recompressed, cropped)", "（缩放、重新压缩、裁剪）")
    near_do = text(
        "Look at them: of copies delete the superfluous files; frames of one film or slices of one stack are no copies, and are kept together by data.group_pattern or design.group_by.",
        "请查看这些图片：副本请删除多余的文件；同一段视频的帧或同一叠切片不是副本，请用 data.group_pattern 或 design.group_by 把它们放在同一侧。",
    )
    pretraining = ("temperature",)


class Texts(Medium):
    name = reads = "texts"
    noun, title = TEXTS, text("texts", "文本")
    source = text("of texts: hf:…", "文本模型：hf:…")
    typed = ("hf:sentence-transformers/all-MiniLM-L6-v2,hf:intfloat/multilingual-e5-small", "hf:*")
    checked = text(
        "lines that fit, empty {w}, identical and near copies, copies across training and test, labels that contradict each other, class sizes, encodings, scripts, control characters",
        "行是否完整、空{w}、相同与近似副本、跨训练与测试的副本、互相矛盾的标签、类别大小、编码、文字、控制字符",
    )
    near_leak = text(
        "Of copies the test score is too good; but one changed word can also make another text. Look at them.",
        "如果是副本，测试得分会偏高；但改动一个词也可能成为另一条文本，请查看。",
    )
    near_do = text(
        "Look at the near-identical texts: one changed word can make another text. Delete those that say the same.",
        "请查看几乎相同的文本：改动一个词也可能成为另一条文本。删除意思相同的即可。",
    )
    in_words = True
    least_steps = 50
    pretraining = ("mask",)
    opened_elsewhere = (
        "The folder opens with the transformers library too; the linear head lies in the same file:",
        "",
        "```python",
        'encoder = AutoModel.from_pretrained("model")',
        'tokenizer = AutoTokenizer.from_pretrained("model")',
        'weights = safetensors.torch.load_file("model/model.safetensors")  # weigh_head.weight, weigh_head.bias',
        'own = json.load(open("model/config.json"))["weigh"]  # classes, pooling, layers, prefix of texts, temperature, bias',
        "```",
    )

    def quoted(self, row: Any) -> tuple[str, ...]:
        return row

    def is_pair(self, row: Any) -> bool:
        return len(row) == 2


class Sentences(Texts):
    name = "sentences"
    noun = SENTENCES
    in_windows = True  # `inputs/sentences.py`
    least_steps = Medium.least_steps  # nineteen of twenty words belong to no entity, so it takes longer

    def quoted(self, row: Any) -> tuple[str, ...]:
        return (joined_tokens(row),)

    def is_pair(self, row: Any) -> bool:
        return False


def joined_tokens(tokens: Sequence[str]) -> str:
    """Tokens as one text: without blanks where most are single characters of a script that has none."""
    alone = sum(not t.isascii() and _is_character(t) for t in tokens)
    return ("" if alone * 2 > len(tokens) else " ").join(tokens)


def _is_character(token: str) -> bool:
    """Whether it is a single character, with the signs that are written into it."""
    return all(unicodedata.category(c)[0] == "M" for c in token[1:])


MEDIA: Registry[Medium] = Registry(text("medium", "样本类型"))
for _medium in (Pictures(), Texts(), Sentences()):
    MEDIA.register(_medium.name, _medium)


def medium_named(name: str) -> Medium:
    """The medium of that name; also how pickle finds it again in a worker."""
    return MEDIA.get(name)
