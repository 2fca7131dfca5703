"""What the checks of the data found, as findings: one for each problem, and one that says so where nothing was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from weigh.data.examples import Examples
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.media import Medium
from weigh.problem import Problem
from weigh.stats.estimate import Estimate

__all__ = ["findings_from_problems"]

# What is asked about each kind; "yes" always means that it was found. {w}, {o}: what the examples are called (`media.py`).
QUESTIONS: dict[str, Text] = {
    "unreadable": text("Are there files that cannot be opened?", "是否有无法打开的文件？"),
    "missing": text("Are files missing?", "是否有缺失的文件？"),
    "outside-root": text("Do paths lead out of the data folder?", "是否有路径指向数据文件夹之外？"),
    "duplicate": text("Are there identical copies?", "是否有完全相同的副本？"),
    "near-duplicate": text("Are there near copies{altered}?", "是否有近似副本{altered}？"),
    "leak": text("Do identical {w} stand in both training and test?", "训练集与测试集中是否有相同的{w}？"),
    "near-leak": text("Do near copies stand in both training and test?", "训练集与测试集中是否有近似副本？"),
    "label-conflict": text("Does one {o} carry two labels?", "是否有同一{o}带有两个标签？"),
    "tiny-class": text("Are there classes with very few examples?", "是否有样本极少的类别？"),
    "imbalance": text("Are the classes unbalanced?", "类别是否不平衡？"),
    "one-class": text("Is there only one class?", "是否只有一个类别？"),
    "odd-picture": text("Are there pictures of unusual kinds?", "是否有不寻常的图片？"),
    "placeholder": text("Are there pictures that look like placeholders?", "是否有疑似占位图的图片？"),
    "class-names": text("Do class names differ only in writing?", "是否有只在写法上不同的类别名称？"),
    "missing-name": text("Are classes called like a missing value?", "是否有名称像缺失值的类别？"),
    "empty-part": text("Are there parts without {w}?", "是否有不含{w}的数据划分？"),
    "data-yaml": text("Are there descriptions of the data that are not used?", "是否有未使用的数据描述文件？"),
    "doubled-column": text("Do several columns have one name?", "是否有多列同名？"),
    "offsets": text("What do the numbers of entities count?", "实体的位置编号按什么计数？"),
    "span-text": text("Does another text stand where entities should be?", "实体所指位置的文本是否不符？"),
    "cut-word": text("Do entities begin or end inside of words?", "是否有实体的起止点落在词内？"),
    "outline": text("Are outlines given as shares of the {o}?", "轮廓是否按占{w}的比例给出？"),
    "empty-class": text("Are there class folders without {w}?", "是否有不含{w}的类别文件夹？"),
    "levels": text("Are there folders within the class folders?", "类别文件夹内是否还有文件夹？"),
    "paths": text("Were files found under other paths than those written?", "是否有文件的实际路径与所写的不同？"),
    "never-trained": text(
        "Are there classes that no model was trained on when they were tested?",
        "是否有测试时没有任何模型训练过的类别？",
    ),
    "groups": text("Does every example have a group of its own?", "是否每个样本自成一组？"),
    "masks": text("Are there masks among the pictures?", "图片中是否混有掩码？"),
    "no-mask": text("Are there {w} without a mask?", "是否有没有掩码的{w}？"),
    "no-picture": text("Are there masks without a {o}?", "是否有没有对应{w}的掩码？"),
    "several-masks": text("Are there several masks of one name?", "是否有多个同名的掩码？"),
    "object-masks": text("Are there further masks that are not used?", "是否有未使用的其他掩码？"),
    "unlisted": text("Are there {w} that no list names?", "是否有未列入任何列表的{w}？"),
    "smoothed-mask": text("Were the edges of masks smoothed?", "掩码边缘是否被平滑过？"),
    "numbered-objects": text("Do masks hold numbers of objects?", "掩码中存放的是目标编号吗？"),
    "stray-value": text("Are there values of hardly any pixel?", "是否有几乎没有像素的取值？"),
    "shared-mask": text("Does one mask stand for several {w}?", "是否有一个掩码对应多个{w}？"),
    "listed-twice": text("Do names stand in the lists of several parts?", "是否有名称出现在多个部分的列表中？"),
    "stack": text("Do stacks have different numbers of pages?", "是否有页数不同的图像栈？"),
    "mask-size": text("Do masks have another size than their {w}?", "是否有掩码与{w}尺寸不同？"),
    "mask-scale": text("Are all masks drawn at another scale?", "掩码是否按另一比例绘制？"),
    "mask-exif": text(
        "Are there {w} that are turned although their masks may not be?", "是否有{w}被旋转而掩码可能没有？"
    ),
    "unknown-value": text("Do masks hold values that mean nothing?", "掩码中是否有含义不明的取值？"),
    "values": text("How were the values of masks read?", "掩码的取值是如何解读的？"),
    "absent-class": text("Are there classes without a pixel?", "是否有没有任何像素的类别？"),
    "ignored": text("What is ignored?", "哪些内容被忽略？"),
    "palettes": text("Do the palettes of masks differ?", "掩码的调色板是否不一致？"),
    "lossy-mask": text("Are masks written as JPEG?", "是否有以 JPEG 保存的掩码？"),
    "empty-mask": text("Are there masks without a labelled pixel?", "是否有没有标注像素的掩码？"),
    "constant-mask": text("Are there masks of one class only?", "是否有只含一个类别的掩码？"),
    "annotation": text("Are there annotations that cannot be used?", "是否有无法使用的标注？"),
    "no-objects": text("Are there {w} without an object?", "是否有没有目标的{w}？"),
    "box-numbers": text("Are there boxes whose numbers cannot be read?", "是否有数值无法读取的框？"),
    "empty-box": text("Are there boxes without an area?", "是否有没有面积的框？"),
    "negative-box": text("Are there boxes of a negative size?", "是否有尺寸为负的框？"),
    "reversed-box": text("Are corners of boxes given in reverse?", "是否有角点顺序颠倒的框？"),
    "outside-box": text("Are there boxes outside their {o}?", "是否有位于{w}之外的框？"),
    "clipped-box": text("Do boxes reach beyond their {o}?", "是否有框超出{w}边界？"),
    "doubled-box": text("Are boxes drawn twice?", "是否有重复绘制的框？"),
    "two-classes": text("Does one box carry two classes?", "是否有同一个框带有两个类别？"),
    "small-box": text("Are there boxes that vanish when {w} are scaled?", "是否有在{w}缩放后消失的框？"),
    "box-format": text("How were the numbers of boxes read?", "框的数值是如何解读的？"),
    "origin": text("Which number do coordinates count from?", "坐标从哪个数开始计？"),
    "box-size": text("Do labels state another size than their {w} have?", "是否有标注所述尺寸与{w}不符？"),
    "box-scale": text("Were boxes drawn at another scale?", "框是否按另一比例绘制？"),
    "box-exif": text("Are there {w} that are turned although their boxes may not be?", "是否有{w}被旋转而框可能没有？"),
    "no-labels": text("Are there {w} without labels?", "是否有没有标注的{w}？"),
    "lonely-labels": text("Are there labels without a {o}?", "是否有没有对应{w}的标注？"),
    "several-labels": text("Are there several labels of one name?", "是否有多个同名的标注？"),
    "unreadable-labels": text("Are there labels that cannot be read?", "是否有无法读取的标注？"),
    "difficult": text("Are there boxes marked as difficult?", "是否有标为“difficult”的框？"),
    "class-index": text("Do numbers of classes have names?", "类别编号是否有名称？"),
    "class-ids": text("Do numbers of classes mean the same everywhere?", "类别编号是否处处含义一致？"),
    "repeated-id": text("Do several {w} share an id?", "是否有多个{w}共用编号？"),
    "further-numbers": text("Are there lines with more than a box?", "是否有除框之外还有其他数字的行？"),
    "torn-picture": text("Do rows of one {o} contradict each other?", "同一{o}的各行是否互相矛盾？"),
    "layouts": text("Are there boxes in several layouts?", "是否有多种布局的框？"),
    "no-class": text("Are there boxes of no class?", "是否有不属于任何类别的框？"),
    "class-without-box": text("Are there classes without a box?", "是否有没有任何框的类别？"),
    "few-pictures": text("Are there classes that cannot be judged?", "是否有无法评判的类别？"),
    "sequence": text("Are {w} frames of one sequence?", "是否有{w}属于同一序列？"),
    "sequence-leak": text("Do frames of one sequence stand in several parts?", "是否有同一序列的帧出现在多个部分中？"),
    "group-pattern": text(
        "Are there paths that the pattern of groups does not match?", "是否有与分组模式不匹配的路径？"
    ),
    "shortcut": text("Can the class be told without looking at the pictures?", "不看图片内容，就能判断类别吗？"),
    "links": text("Do links lead back into the data?", "是否有链接指回数据自身？"),
    "file-name": text("Are there file names that cannot be read?", "是否有无法识别的文件名？"),
    "left-out": text("Are there {w} that are not used?", "是否有未使用的{w}？"),
    "loose-files": text("Are there {w} outside the class folders?", "是否有位于类别文件夹之外的{w}？"),
    "missing-label": text("Are labels missing?", "是否有缺失的标签？"),
    "other-files": text("Are there files that are not {w}?", "是否有不是{w}的文件？"),
    "repeated-row": text("Does the table repeat files?", "表格中是否有重复的文件？"),
    "unknown-class": text(
        "Are there test classes that do not occur in training?", "测试数据中是否有训练里没有的类别？"
    ),
    "unlabelled-class": text(
        "Do predictions name a class that no example has?", "预测中是否有任何样本都不属于的类别？"
    ),
    "other-tokens": text("Are tokens written otherwise than in the gold file?", "是否有词的写法与标准答案不同？"),
    "other-pictures": text(
        "Are there detections of pictures that the gold file lacks?", "是否有检测属于标准答案中没有的图片？"
    ),
    "without-detections": text("Are there {w} without a detection?", "是否有没有任何检测的{w}？"),
    "unknown-size": text("Are there {w} whose size is not known?", "是否有尺寸未知的{w}？"),
    "told-from": text("Which detections count as told?", "哪些检测才计入？"),
    "beyond-picture": text("Do detections reach beyond their {o}?", "是否有检测超出{w}边界？"),
    "repeated-detection": text("Are detections repeated?", "是否有重复的检测？"),
    "many-detections": text("Are there more detections than count?", "是否有检测数量超过计数上限？"),
    "bare-probabilities": text("Are all probabilities 0 or 1?", "概率是否全为 0 或 1？"),
    "other-decision": text(
        "Are there decisions that are not for the most probable class?", "是否有判断结果不是概率最大的类别？"
    ),
    "training-rows": text("Are there predictions of training examples?", "是否有对训练样本的预测？"),
    "missing-prediction": text("Are predictions missing?", "是否缺少预测？"),
    "repeated-prediction": text("Does the table repeat rows?", "表格中是否有重复的行？"),
    "copied-model": text("Do several models give the same predictions?", "是否有多个模型的预测完全相同？"),
    "constant-answer": text("Does a model always give the same answer?", "是否有模型总是给出同一个答案？"),
    "tied-probabilities": text("Are there ties between classes?", "是否有类别的概率并列最大？"),
    "rounded-probabilities": text("Were probabilities rounded?", "概率是否经过舍入？"),
    "one-fold": text("Is there only one fold?", "是否只有一折？"),
    "split-group": text("Were groups split between folds?", "是否有组被拆分到不同的折？"),
    "class-in-one-fold": text("Does one fold hold all examples of a class?", "是否有类别的样本全部在同一折中？"),
    "class-in-fold": text("Do folds lack a class?", "是否有某折缺少某个类别？"),
    "constant-label": text("Are labels constant?", "标签是否没有变化？"),
    "repeated-header": text("Is the header repeated inside of the table?", "表格中间是否重复出现表头？"),
    "shifted-labels": text("Do labels and predictions count from different numbers?", "标签与预测的编号起点是否不同？"),
    "stray-quote": text("Are there quotes that do not close?", "是否有未闭合的引号？"),
    "broken-row": text("Are there broken lines?", "是否有损坏的行？"),
    "empty-text": text("Are there empty {w}?", "是否有空的{w}？"),
    "empty": text("Is nothing left to train on?", "是否已经没有可用于训练的数据？"),
    "unlabelled": text("Are there files without labels?", "是否有不含标签的文件？"),
    "encoding": text("Are there files that are not UTF-8?", "是否有不是 UTF-8 的文件？"),
    "script": text("Which scripts are they written in?", "使用了哪些文字？"),
    "pretrain-texts": text("Which texts without labels are used?", "使用了哪些无标签文本？"),
    "pretrain-pictures": text("Which pictures without labels are used?", "使用了哪些无标签图片？"),
    "glue": text("Is this a task of GLUE?", "这是 GLUE 的任务吗？"),
    "columns": text("How were the files read?", "文件是如何读取的？"),
    "control-characters": text("Are there control characters?", "是否有控制字符？"),
    "orphan-tag": text("Do tags continue entities that never began?", "是否有标记延续了并未开始的实体？"),
    "unclosed-tag": text("Are there entities whose end is not marked?", "是否有未标出结尾的实体？"),
    "size": text("How many {w} are there?", "有多少{w}？"),
    "split": text("Was a split of the data interpreted?", "是否对数据划分作了解读？"),
}


def findings_from_problems(
    problems: Sequence[Problem], examples: Examples, checked: Text | None = None
) -> list[Finding]:
    """One finding per problem, in the order found; severity "problem" for what may change a conclusion, "detail" for notes.

    Args:
        checked: What was looked for, to be said where nothing was found; default: what the checks of these examples look for.
    """
    medium = examples.medium
    if checked is None:
        checked = _filled(medium.checked, medium)
    seen: Counter[str] = Counter()
    findings = []
    for problem in problems:
        seen[problem.kind] += 1  # ids are unique: a second problem of a kind (in the test part, another oddity) is ":2"
        findings.append(_finding(problem, medium, "" if seen[problem.kind] == 1 else f":{seen[problem.kind]}"))
    if not any(finding.severity == "problem" for finding in findings):
        n = len(examples)
        findings.append(
            Finding(
                id="data:clean",
                kind="data",
                **asked("data:clean", "no"),
                severity="detail",
                sentence=text(
                    "Nothing that would change a conclusion was found in {n} examples. Checked: {c}.",
                    "在 {n} 个样本中没有发现会影响结论的问题。已检查：{c}。",
                    n=n,
                    c=checked,
                ),
                estimates={"examples": Estimate(value=n, n=n, unit="1", method="count")},
            )
        )
    return findings


def _filled(template: Text, medium: Medium) -> Text:
    noun, altered = medium.noun, medium.altered
    return Text(
        template.en.format(w=noun.many.en, o=noun.one.en, altered=altered.en),
        template.zh.format(w=noun.many.zh, o=noun.one.zh, altered=altered.zh),
    )


def _finding(problem: Problem, medium: Medium, suffix: str) -> Finding:
    template = QUESTIONS.get(problem.kind)
    question = (
        _filled(template, medium)
        if template is not None
        else text("Is there a problem of the kind {k}?", "是否存在 {k} 类问题？", k=problem.kind)
    )
    sentence = problem.sentence if problem.why is None else problem.sentence + problem.why
    return Finding(
        id=f"data:{problem.kind}{suffix}",
        kind=problem.kind,
        question=question,
        verdict="yes",
        severity="detail" if problem.severity == "note" else "problem",
        sentence=sentence,
        estimates={
            name: Estimate(value=float(value), n=int(value) if value >= 0 else 0, unit="1", method="count")
            for name, value in problem.numbers.items()
        },
        examples=[*problem.paths],
        next=[problem.do] if problem.do else [],
        table=[*problem.details, *({"copies": " = ".join(pair)} for pair in problem.pairs if not problem.details)],
    )
