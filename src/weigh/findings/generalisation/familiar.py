"""May the models have seen these pictures in pretraining? Names of files and classes are compared with those of public data sets.

A pretrained model scores higher on pictures that it was trained on, and on classes that it was taught, than on others; no fold keeps that apart. Names
can only say what looks alike: the answer is never "yes", and where nothing looks alike nothing is said, which is no all-clear.
"""

from __future__ import annotations

from weigh.data.pictures.known_sets import Resemblance, resemblances
from weigh.findings.amounts import count
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.models.published import published_of
from weigh.record.results import Results

__all__ = ["find"]

PARTS = {"ILSVRC2012 validation": "ImageNet", "STL-10": "ImageNet"}  # sets whose pictures come from another one
WEB = (
    "LAION",
    "WebLI",
    "CLIP",
    "DFN",
    "DataComp",
    "JFT",
    "Instagram",
    "YFCC",
    "LVD",
    "OpenAI",
    "CC-",
    "Merged",
)  # collections from the web
OPEN = text(
    "Whether these very pictures were among them cannot be told from names.",
    "这些图片本身是否在其中，仅凭名称无法判断。",
)


@FINDINGS.named("familiar")
def find(results: Results) -> list[Finding]:
    """One finding: the strongest resemblance to data that one of the study's models was pretrained on; nothing where there is none."""
    if results.origin != "study" or results.examples.rows is not None:
        return []
    for resemblance in resemblances(list(results.examples.path), results.examples.classes):
        concerned = {
            model: data
            for model in dict.fromkeys(c.model for c in results.candidates if not c.control)
            if (data := _shared(model, resemblance))
        }
        if concerned:
            return [_finding(results, resemblance, concerned)]
    return []


def _shared(model: str, resemblance: Resemblance) -> Text | None:
    """What the model was pretrained on, where that may hold the set; None where it does not."""
    known, strong = published_of(model), resemblance.by != "names"
    if known is None or not known.pretraining:
        return text("pretraining data not known", "预训练数据不详") if strong else None
    holds = PARTS.get(resemblance.of, resemblance.of) in known.pretraining or (
        strong and any(w in known.pretraining for w in WEB)
    )
    return Text(known.pretraining, known.pretraining) if holds else None


def _finding(results: Results, resemblance: Resemblance, concerned: dict[str, Text]) -> Finding:
    models = Text(
        ", ".join(f"{model} ({data.en})" for model, data in concerned.items()),
        "、".join(f"{model}（{data.zh}）" for model, data in concerned.items()),
    )
    strong = resemblance.by != "names"
    effect = (
        text(
            "They may have been trained on these photos, or chosen by them: the scores here then say little about photos that they have not seen.",
            "它们可能用这些照片训练过，或据此被挑选出来：若是如此，这里的得分很难说明在未见过的照片上的表现。",
        )
        if strong
        else text(
            "They were taught these classes in pretraining: the scores say little about classes that pretraining did not name, and if these photos come "
            "from ImageNet, little about other photos.",
            "预训练已经教过这些类别：得分很难说明预训练未涉及的类别；如果这些照片来自 ImageNet，也很难说明其他照片。",
        )
    )
    next_step = text(
        "Score the models once on photos that were taken for this purpose, after the models were published: --set data.test=FOLDER",
        "请用模型公布之后专门拍摄的照片再评估一次：--set data.test=文件夹",
    )
    original = text(
        "Where every class bears such a name, weigh evaluate DATA --models MODEL --labels name shows what a model's original head does without training.",
        "如果所有类别都用这样的名称，weigh evaluate 数据 --models 模型 --labels name 会显示模型原有的分类头不经训练的表现。",
    )
    return Finding(
        id="familiar",
        kind="familiar",
        **asked("familiar", "undecided"),
        severity="problem" if strong else "evidence",
        sentence=(
            _evidence(resemblance) + text("Models concerned: {m}.", "涉及的模型：{m}。", m=models) + effect + OPEN
        ),
        estimates={"count": count(resemblance.count, "examples" if resemblance.by == "files" else "classes")},
        candidates=[
            candidate.id for candidate in results.candidates if candidate.model in concerned and not candidate.control
        ],
        next=[next_step, *([] if strong else [original])],
    )


def _evidence(resemblance: Resemblance) -> Text:
    values = {"n": resemblance.count, "k": resemblance.total, "s": resemblance.of, "e": resemblance.example}
    if resemblance.by == "files":
        return text(
            "{n} of {k} pictures {n:|is|are} called like those of {s} (such as {e}).",
            "{k} 张图片中有 {n} 张的文件名与 {s} 的相同（例如 {e}）。",
            **values,
        )
    if resemblance.by == "synsets":
        return text(
            "{n} of {k} classes {n:|is|are} called by synsets, as in {s} (such as {e}).",
            "{k} 个类别中有 {n} 个用 synset 命名，与 {s} 相同（例如 {e}）。",
            **values,
        )
    if resemblance.by == "classes":
        return text("The {k} classes are those of {s} ({e} …).", "这 {k} 个类别正是 {s} 的类别（{e} 等）。", **values)
    return text(
        "{n} of {k} classes {n:|bears the name of a class|bear names of classes} of {s} ({e}).",
        "{k} 个类别中有 {n} 个与 {s} 的类别同名（{e}）。",
        **values,
    )
