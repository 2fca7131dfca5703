"""The Chinese report has no English word but names: of candidates, classes, files, settings, and of methods that are called so in Chinese."""

from __future__ import annotations

import html
import re

import pytest

from tests.findings.studies import STUDIES, file_of, results_of
from tests.report.reading import PageText
from weigh.language import text
from weigh.report.html import render_html
from weigh.report.markdown import render_markdown
from weigh.report.methods import method_in_words
from weigh.report.terminal import render_terminal
from weigh.stats.interval import METHODS

NAMES = [
    "AUROC",
    "curve",
    "macro",
    "micro",
    "weighted",
    "TABLE",
    "read",
    "Northcutt",
    "variation",
    "Brier",
    "true",
    "Bonferroni",
    "MOVER",
    "Wilson",
    "delta",
    "ECE",
    "GMACs",
    "Kendall",
    "Pearson",
    "Spearman",
    "UTF-8",
    "GLUE",
    "MACs",
    "log",
    "weigh",
    "data.test",
    "data.group_by",
    "design.group_by",
    "design.repeats",
    "design.race",
    "design.finalists",
    "design.test",
    "design.crossed",
    "metrics.decision",
    "argmax",
    "--set",
    "class_weights",
    "balanced",
    "learning_rate",
    "epochs",
    "group",
    "run",
    "fold",
    "recipes",
    "finetune",
    "probe",
    "scratch",
    "last-stage",
    "lora",
    "auto",
    "tuned",
    "adapted",
    "decoder",
    "IoU",
    "Dice",
    "mAP",
    "AP",
    "findings.json",
    "log.txt",
    "--retry-failed",
    "max_length",
    "recipes.NAME.max_length",
    "hf:intfloat",
    "multilingual-e5-small",
    "purpose",
    "ship",
    "publish",
    "none",
    "intfloat",
    "race",
    "budget",
    "null",
    "naive-bayes",
    "false",
    "set",
    "decision",
    "report",
    "study.yaml",
    "predict",
    "STUDY",
    "AGAIN",
    "output",
    "output.ensemble",
    "always",
    "yaml",
    "new",
    "jpg",
    "csv",
    "txt",
    "png",
    "json",
    "html",
    "English",
    "version",
    "SHA",
    "timm",
    "ImageNet",
    "JPEG",
    "init",
    "order",
    "split",
    "augmentation",
]
ALLOWED = {part.lower() for name in NAMES for part in re.findall(r"[A-Za-z]{2,}", name)}
WORD = re.compile(r"[A-Za-z_]{3,}")


def foreign(shown: str, name: str) -> set[str]:
    """English words of a text that are neither names nor terms."""
    results = results_of(name)
    own = [c.label for c in results.candidates] + [c.model for c in results.candidates] + list(results.examples.classes)
    own += [*results.examples.slices, *(str(v) for values in results.examples.slices.values() for v in set(values))]
    own += ["a text", "sentence"]
    if results.examples.rows is not None:
        own += [" ".join(row) for row in results.examples.rows]
    own += [run.cause for run in results.records if run.cause] + ["synthetic", "winter", "night"]
    known = ALLOWED | {w.lower() for said in own for w in WORD.findall(said)}
    return {
        w for w in WORD.findall(shown) if w.lower() not in known and not all(p.lower() in known for p in w.split("_"))
    }


@pytest.mark.parametrize("name", STUDIES)
def test_no_english_word_stands_in_the_chinese_report(name):
    file = file_of(name)
    references = [r for finding in file.findings for r in finding.references]
    paths = [p for finding in file.findings for p in finding.examples]
    page = "\n".join(PageText(render_html(file, results_of(name), language="zh", picture=None)).text)
    for shown in (
        page,
        render_markdown(file, results_of(name), language="zh"),
        render_terminal(file, language="zh", width=10_000),
    ):
        shown = html.unescape(shown).replace("\\", "")
        for said in sorted([*references, *paths], key=len, reverse=True):
            shown = shown.replace(said, "")
        shown = re.sub(r"class\d/picture_\d+\.jpg|train\.tsv:\d+", "", shown)
        assert foreign(shown, name) == set()


@pytest.mark.parametrize(
    ("method", "chinese"),
    [
        ("count", "计数"),
        ("influence of groups and runs", "按组"),
        (f"{METHODS['this_data'].format(u='groups')}, t, Bonferroni over 12 slices", "12 个子集"),
        (f"{METHODS['these_models'].format(u='examples')}, t, Bonferroni over 12 slices", "按样本"),
        ("power laws with exponents from -1 to 2.5, weighted by their fit", "-1 到 2.5"),
        ("paired influence of each on the difference over groups, simultaneous over all pairs", "按组"),
        ("no interval: fewer than 10 independent examples", "独立样本太少"),
        ("Kish's design effect of sets of copies", "副本组的设计效应"),
    ],
)
def test_methods_are_written_in_chinese_with_their_numbers(method, chinese):
    assert chinese in method_in_words(method, "zh")
    assert method_in_words(method, "en") == method


@pytest.mark.parametrize(
    ("template", "values", "written"),
    [
        ("{m}为 {s}", {"m": "F1", "s": "0.9"}, "F1 为 0.9"),
        ("{v}{m}为{s}", {"v": text("", "交叉验证"), "m": "AUROC", "s": 0.5}, "交叉验证 AUROC 为 0.5"),
        ("{c}的{n}个", {"c": "resnet18", "n": 3}, "resnet18 的 3 个"),
        ("“{c}”，{x:.1f} %", {"c": "a猫b", "x": 1.26}, "“a猫b”，1.3 %"),
    ],
)
def test_a_blank_stands_between_chinese_characters_and_letters_that_are_filled_in(template, values, written):
    assert text("x", template, **values).zh == written
