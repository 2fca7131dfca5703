"""Every finding in every verdict: what the sentence says is what the verdict says, in both languages.

`SAYS` holds, for every question of the table and each of its verdicts, what its sentence must say: the studies of `studies.py`
bring all of them. A verdict that its question has and no study brings, a sentence that says something else, or one that says in Chinese
what it does not say in English, fails.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.findings.reading import check
from tests.findings.studies import STUDIES, file_of, results_of
from weigh.findings.data_problems import QUESTIONS as DATA_QUESTIONS
from weigh.findings.model import Finding
from weigh.findings.questions import QUESTIONS, VERDICTS
from weigh.findings.registry import _internal

ANY = (".", ".")
SETTLED_NOT = r"not settled|not certain|cannot|nothing is settled|open|too few|too little|does not settle|no verdict|not shown|differ in|"
SETTLED_NOT += r"skipped|never changed|was|No part|not been|held back|no single|alone|No test|no test|confident|single prediction|both|not recorded"
OPEN_ZH = r"尚无定论|无法|不能|太少|不足|没有|跳过|尚未|始终|只有一次|未|分不出|可能"
OPEN = (SETTLED_NOT, OPEN_ZH)
SAYS: dict[str, dict[str, tuple[str, str]]] = {
    "progress": {"no": ("not done yet", "没有完成")},
    "reading": {"yes": ("were read", "读取了")},
    "tokens": {"no": ("does not fit these texts", "不适合")},
    "tokens:cut": {"no": ("are cut", "截断")},
    "saved": {"no": ("does not answer", "不一致|不能给出回答")},
    "decision": {"yes": ("all the same", "仍都是"), "no": ("does not always", "并不总是")},
    "verdict": {
        "yes": ("is better than the runner-up|is the only candidate", "优于第二名|唯一的候选方案"),
        "no": ("worse than|Nothing was learnt", "还不如|没有学到任何东西"),
        "undecided": (
            "not settled|practically as good|opposite directions|do not agree|cannot be told|no verdict",
            "尚无定论|同样好|方向相反|不一致|无从判断|尚无结论",
        ),
    },
    "performance:baseline": {
        "yes": ("has learnt something", "确实学到了东西"),
        "no": ("worse than looking at nothing", "还不如"),
        "undecided": ("not certain", "尚不能确定"),
    },
    "performance:counting": {
        "yes": ("is better than counting words", "优于词频统计"),
        "no": ("No pretrained model.*(worse|practically equal)", "没有哪个预训练模型.*(更差|实际相当)"),
        "undecided": ("No pretrained model.*is not settled", "没有哪个预训练模型.*尚无定论"),
    },
    "performance:control": {
        "yes": ("is better than", "优于"),
        "no": ("is worse than|practically equal", "不如|实际相当"),
        "undecided": ("is not settled", "尚无定论"),
    },
    "performance:pretraining": {
        "yes": ("is better than", "优于"),
        "no": ("is worse than|practically equal", "不如|实际相当"),
        "undecided": ("is not settled", "尚无定论"),
    },
    "performance:metrics": {"yes": ANY},
    "performance:classes": {
        "yes": (
            "recognises|does best|does equally well|only class|No class can",
            "识别得最好|最好|相同|只有|只出现|没有哪个",
        )
    },
    "performance:judged": {"yes": ("speaks about", "涉及")},
    "performance:confusion": {"yes": ("wrong", "分错")},
    "familiar": {"undecided": ("cannot be told from names", "无法判断")},
    "comparison": {
        "yes": ("is better than", "优于"),
        "no": ("practically equal|is better than", "实际相当|优于"),
        "undecided": ("nothing is settled|cannot be compared", "尚无定论|无法比较"),
    },
    "comparison:rest": {
        "yes": ("is better than", "优于"),
        "no": ("worse than", "不如"),
        "undecided": ("not shown to be better", "尚不能说它优于"),
    },
    "comparison:matrix": {"yes": ("the best candidate is", "最好的候选方案是"), "undecided": ("among these", "之中")},
    "ensemble": {
        "yes": ("it is better", "平均确实更好"),
        "no": ("is preferred|it is worse|than chance would", "取更简单的|反而更差|超出偶然"),
        "undecided": ("not shown to be worth it", "尚无证据"),
    },
    "choice": {
        "yes": ("with a probability of", "概率(为|超过|不到)"),
        "undecided": ("with a probability of", "概率(为|超过|不到)"),
    },
    "finalists": {"no": ("might have been better", "也可能更好")},
    "time": {"no": ("to keep to the budget", "为不超出预算")},
    "racing": {
        "yes": ("The race took", "竞速用了"),
        "no": ("The race took", "竞速用了"),
        "undecided": ("not over", "尚未结束"),
    },
    "cleaned": {
        "yes": ("comes out the same", "比较结果不变"),
        "no": ("comes out differently", "比较结果不同"),
        "undecided": ("open|cannot be said", "尚无定论|无法断定|没有可供检验"),
    },
    "generalisation:test": {
        "yes": ("The score holds|does not fall", "得分成立|没有变差"),
        "no": ("does not hold", "得分不成立"),
        "undecided": (
            "Whether it holds|no test part|not been scored|not defined|failed",
            "是否成立|没有测试部分|尚未评分|没有定义|失败",
        ),
    },
    "generalisation:choice": {
        "yes": ("There .* is better than every other", "优于其他所有"),
        "no": ("contradicts the choice", "相矛盾"),
        "undecided": ("opposite directions|practically equal|too little", "方向相反|实际相当|不足以"),
    },
    "generalisation:train": {
        "yes": ("partly memorised", "记住了训练样本"),
        "no": ("no sign that it has memorised", "没有记住"),
    },
    "generalisation:optimism": {"yes": ("of luck", "运气成分"), "no": ("of luck", "运气成分"), "undecided": OPEN},
    "curve": {
        "yes": ("worth collecting", "值得收集"),
        "no": ("would change little", "变化不大"),
        "undecided": ("cannot be told|too few|nothing is predicted", "无法判断|太少|不作预测|不对更多样本作预测"),
    },
    "shift": {
        "yes": ("The score holds|better there", "得分成立|反而更好"),
        "no": ("is worse there", "确实更差"),
        "undecided": ("not settled|too few|cannot be told", "尚无定论|太少|不能由"),
    },
    "shift:ranking": {
        "yes": ("most keep their order|So the ranking is kept", "大多数保持|排名得以保持"),
        "no": ("is not kept", "没有保持"),
        "undecided": ("is not settled", "尚无定论"),
    },
    "order": {
        "yes": ("is excluded", "可以排除"),
        "no": ("it falls when", "它就下降"),
        "undecided": ("skipped|cannot be excluded|no all-clear", "跳过|不能排除|不能据此排除"),
    },
    "order:groups": {"no": ("whole groups", "整组"), "undecided": ("whole groups", "整组")},
    "order:columns": {"yes": ("are alike within", "彼此相似"), "undecided": ("not shown to be alike", "没有证据")},
    "order:neighbours": {
        "yes": ("not shown to be alike", "没有证据"),
        "no": ("are alike", "彼此相似"),
        "undecided": ("not shown to be alike", "没有证据"),
    },
    "stability:spread": {
        "yes": ("leads in", "领先"),
        "no": ("leads in", "领先"),
        "undecided": ("leads in|cannot be told|identical", "领先|无法判断|完全相同"),
    },
    "stability:alone": {"yes": ("standard deviation", "标准差"), "undecided": ("cannot be told", "无法判断")},
    "stability:agreement": {
        "yes": ("different answers", "不同的回答"),
        "no": ("different answers", "不同的回答"),
        "undecided": ("different answers", "不同的回答"),
    },
    "stability:failed": {"yes": ("All .* finished", "均已完成"), "no": ("runs failed", "次失败")},
    "stability:degenerate": {"no": ("the same answer", "同样的回答")},
    "training": {
        "yes": ("would hardly help", "作用不大"),
        "no": ("still getting better", "仍在变好"),
        "undecided": ("the last one\\.$|never changed|Nothing was held back", "最后一轮最好。$|始终没有变化|没有留出"),
    },
    "variation": {
        "yes": ("more repeats would make", "增加重复次数能让"),
        "no": ("more repeats hardly|would be identical", "增加重复次数作用不大|毫无作用"),
        "undecided": ("cannot be told|Too few|practically alike", "无法判断|太少|几乎相同"),
    },
    "calibration": {
        "yes": ("can be taken at face value", "可以直接采信"),
        "no": ("use them to rank|beyond that", "不能当作概率|超出了这一限度"),
        "undecided": ("cannot settle|No candidate|has not been judged", "无法判断|尚未选出|尚未检验"),
    },
    "slices": {"no": ("does worse on", "明显更差"), "undecided": ("No part", "没有证据|没有哪个")},
    "errors:hardest": {
        "yes": ("Wrong in each", "预测全部错误："),
        "no": ("None of the", "没有哪一个"),
        "undecided": ("cannot be told from bad luck", "无法区分"),
    },
    "errors:residuals": {"yes": ("are off by", "平均偏差")},
    "errors:entities": {"yes": ("finds", "找对")},
    "errors:confusions": {
        "yes": ("takes|takes no class", "主要混淆|没有把任何类别"),
        "undecided": ("cannot be told|not settled", "无法判断|尚无定论"),
    },
    "errors:borders": {
        "yes": ("from a border", "距类别边界"),
        "no": ("from a border", "距类别边界"),
        "undecided": ("is not settled", "尚无定论"),
    },
    "errors:objects": {
        "yes": ("misses", "漏掉了"),
        "no": ("misses", "漏掉了"),
        "undecided": ("not settled", "尚无定论"),
    },
    "errors:costs": {
        "yes": ("What costs most is|without [^,]+\\.( |$)", "损失最大的是|没有[^，]+。"),
        "undecided": ("not settled", "尚无定论"),
    },
    "errors:counts": {"yes": ("objects in a picture", "个目标")},
    "errors:worst": {"yes": ("finds every object and nothing else", "既无漏检也无误检")},
    "errors:suspects": {
        "no": ("In none of", "没有发现"),
        "undecided": ("this proves nothing", "不能证明"),
    },
    "errors:pictures": {"yes": ("of the pixels of a picture", "每张图片判错")},
    "errors:regions": {
        "no": ("In none of", "没有发现"),
        "undecided": ("this proves nothing|Only pictures", "不能证明|只查看了"),
    },
    "errors:shift": {"yes": ("moved by one pixel", "移动一个像素")},
    "errors:labels": {
        "no": ("None of the", "没有确信的异议"),
        "undecided": ("no label is suspected|cannot be told from predictions", "不据此怀疑|仅凭预测无法判断"),
    },
    "cost": {
        "yes": (
            "no other candidate needs less|the same network|the only candidate",
            "没有其他候选方案比它更省|同一个网络|只有 .* 有结果",
        ),
        "no": ("times as many", "倍"),
        "undecided": ("not recorded|No candidate", "并非所有|尚未选出"),
    },
    "inner-choice": {
        "yes": ("runs|kept the default settings", "次运行中"),
        "no": ("runs|kept the default settings", "次运行中"),
    },
    "advice": {"yes": ("Worth doing", "最值得先做"), "no": ("Nothing in the record", "没有必须补做")},
    "internal": {"no": ("could not be computed", "未能算出")},
    "data:clean": {"no": ("Nothing that would change", "没有发现")},
}
PATTERNS = {
    key: re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(question.ask.en))) for key, question in QUESTIONS.items()
}
DATA = [re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(ask.en))) for ask in DATA_QUESTIONS.values()]


def key_of(finding: Finding) -> str | None:
    """The row of the table that a finding answers; None for problems of the data, whose "yes" is that they were found."""
    keys = [key for key, pattern in PATTERNS.items() if pattern.fullmatch(finding.question.en)]
    if keys:
        return max(keys, key=lambda key: (finding.kind == key.split(":")[0], len(PATTERNS[key].pattern)))
    assert any(pattern.fullmatch(finding.question.en) for pattern in DATA), f"no question of the table: {finding}"
    assert finding.verdict == "yes"
    return None


def verdicts_of(key: str) -> set[str]:
    """The verdicts that a question may have."""
    return set(SAYS[key])


def test_the_table_is_complete():
    assert set(SAYS) == set(QUESTIONS)
    for key, question in QUESTIONS.items():
        if not question.open:
            assert ("yes" in SAYS[key]) == (question.yes is not None), key
            assert ("no" in SAYS[key]) == (question.no is not None), key


@pytest.mark.parametrize("name", STUDIES)
def test_sentences_say_what_verdicts_say(name):
    for finding in file_of(name).findings:
        assert finding.kind != "internal", finding.table
        key = key_of(finding)
        if key is None:
            continue
        if key not in FACTS:
            check(finding, results_of(name))
        said = SAYS[key].get(finding.verdict)
        assert said is not None, f"{key} is not meant to be answered {finding.verdict}"
        assert re.search(said[0], finding.sentence.en), (key, finding.verdict, finding.sentence.en)
        assert re.search(said[1], finding.sentence.zh), (key, finding.verdict, finding.sentence.zh)
        others = [words for verdict, words in SAYS[key].items() if verdict != finding.verdict and words != said]
        for other in others if key in TELLING else ():
            assert not re.search(other[0], finding.sentence.en), (key, finding.verdict, finding.sentence.en)
            assert not re.search(other[1], finding.sentence.zh), (key, finding.verdict, finding.sentence.zh)


FACTS = (
    "familiar",
    "advice",
    "progress",
    "saved",
    "tokens:cut",
    "stability:failed",
    "data:clean",
)  # their numbers are settings and causes, too
TELLING = (
    "performance:baseline",
    "generalisation:test",
    "cleaned",
    "curve",
    "order",
    "training",
    "errors:hardest",
    "errors:labels",
)
TELLING += ("shift:ranking", "stability:failed", "generalisation:choice", "slices", "generalisation:train", "decision")


def test_every_verdict_of_every_question_is_brought_by_a_study():
    seen: dict[str, set[str]] = defaultdict(set)
    for name in STUDIES:
        for finding in file_of(name).findings:
            key = key_of(finding)
            if key is not None:
                seen[key].add(finding.verdict)
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        broken = _internal("order", error)
    seen[str(key_of(broken))].add(broken.verdict)
    assert re.search(SAYS["internal"]["no"][0], broken.sentence.en)
    missing = {key: sorted(verdicts_of(key) - seen[key]) for key in SAYS if verdicts_of(key) - seen[key]}
    assert missing == {}


def test_an_answer_in_words_of_a_comparison_is_that_of_the_verdict():
    """Pages show the relation in place of yes and no."""
    for finding in (finding for name in STUDIES for finding in file_of(name).findings):
        assert finding.relation is None or VERDICTS[finding.relation] == finding.verdict, finding
        assert finding.relation is None or "better than" in finding.question.en, finding


def test_a_number_of_one_name_counts_one_thing():
    """Pages give a number the title of its name: 30 runs are no pairs."""
    kept: dict[str, set[str]] = defaultdict(set)
    for finding in (finding for name in STUDIES for finding in file_of(name).findings):
        for name, estimate in () if finding.id.startswith("data:") else finding.estimates.items():
            counted = "units" if estimate.unit in ("examples", "groups") else estimate.unit
            kept[name].add(counted if estimate.method == "count" else "measured")
    sizes = {"small_below", "large_from"}  # in pixels of boxes, as shares of pictures with masks: the title fits both
    assert {name: kinds for name, kinds in kept.items() if len(kinds) > 1 and name not in sizes} == {}
