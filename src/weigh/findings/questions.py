"""What every finding asks, and what its answers say: one table, in both languages.

Before it: nothing. After it: every finding takes its question from here (`asked`), so that no verdict can meet a question that
it does not answer. A question that begins with which, what or how is open: its sentence answers it, and no "yes" or "no" is shown.
What "yes" and "no" say stands beside the question in both languages: a translation that turns a question round
disagrees with its own row, which `tests/findings/test_questions.py` checks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from weigh.findings.model import Relation, Verdict
from weigh.language import Text, text

__all__ = ["QUESTIONS", "VERDICTS", "Question", "asked", "is_open"]

# What the relation of a to b answers to "Is a better than b?"
VERDICTS: dict[Relation, Verdict] = {"better": "yes", "worse": "no", "equal": "no", "undecided": "undecided"}
OPEN = ("Which", "What", "How", "Where", "When", "Who", "Why")  # first words of questions that no yes or no answers


class Question(NamedTuple):
    """A question and its answers in words.

    Attributes:
        ask: With blanks ({a}) that `asked` fills.
        yes, no: What these verdicts say; None where the verdict is never given, and for open questions.
    """

    ask: Text
    yes: Text | None = None
    no: Text | None = None

    @property
    def open(self) -> bool:
        """Whether the sentence, not a verdict, answers it."""
        return is_open(self.ask)


QUESTIONS: dict[str, Question] = {
    "decision": Question(
        text("Is the label always the most probable class?", "给出的标签总是概率最大的类别吗？"),
        yes=text("The label is always the most probable class", "给出的标签总是概率最大的类别"),
        no=text("The label is not always the most probable class", "给出的标签并不总是概率最大的类别"),
    ),
    "saved": Question(
        text("Does the saved model answer as its training left it?", "保存的模型与训练结束时的回答一致吗？"),
        no=text("The saved model does not answer as its training left it", "保存的模型与训练结束时的回答不一致"),
    ),
    "progress": Question(
        text("Is the study finished?", "研究完成了吗？"),
        no=text("The study is not finished", "研究尚未完成"),
    ),
    "reading": Question(text("What was read, and what can it tell?", "读到了什么？能说明什么？")),
    "tokens": Question(
        text("Does the model's vocabulary fit these texts?", "模型的词表适合这些文本吗？"),
        no=text("The model's vocabulary does not fit these texts", "模型的词表不适合这些文本"),
    ),
    "tokens:cut": Question(
        text("Are texts read to their end?", "文本都完整读取了吗？"),
        no=text("Some texts are not read to their end", "部分文本没有完整读取"),
    ),
    "verdict": Question(
        text("Which candidate should be used, and how well will it do?", "应当使用哪个候选方案？效果会如何？")
    ),
    "performance:baseline": Question(
        text("Is it better than {a}?", "它比{a}更好吗？"),
        yes=text("It is better than {a}", "它比{a}更好"),
        no=text("It is not better than {a} but worse", "它不比{a}更好，反而更差"),
    ),
    "performance:counting": Question(
        text("Is a pretrained model better than counting words?", "预训练模型比词频统计更好吗？"),
        yes=text("A pretrained model is better than counting words", "有预训练模型比词频统计更好"),
        no=text("No pretrained model is better than counting words", "没有预训练模型比词频统计更好"),
    ),
    "performance:control": Question(
        text("Is it better than the control {o}?", "它比对照 {o} 更好吗？"),
        yes=text("It is better than the control {o}", "它比对照 {o} 更好"),
        no=text("It is not better than the control {o}", "它并不比对照 {o} 更好"),
    ),
    "performance:pretraining": Question(
        text("Is {c} better than fine-tuning without the unlabelled data?", "{c} 比不用无标签数据的直接微调更好吗？"),
        yes=text("{c} is better than fine-tuning without the unlabelled data", "{c} 比不用无标签数据的直接微调更好"),
        no=text(
            "{c} is not better than fine-tuning without the unlabelled data", "{c} 并不比不用无标签数据的直接微调更好"
        ),
    ),
    "performance:metrics": Question(text("What do the other metrics say?", "其他指标怎么说？")),
    "performance:classes": Question(text("How does every class do?", "各类别表现如何？")),
    "performance:judged": Question(text("Which classes does the score speak about?", "得分涉及哪些类别？")),
    "performance:confusion": Question(text("Which classes are confused?", "哪些类别容易混淆？")),
    "comparison": Question(
        text("Is {a} better than {b}?", "{a} 比 {b} 更好吗？"),
        yes=text("{a} is better than {b}", "{a} 比 {b} 更好"),
        no=text("{a} is not better than {b}", "{a} 并不比 {b} 更好"),
    ),
    "comparison:rest": Question(
        text("Is {a} better than the others?", "{a} 比其他方案都更好吗？"),
        yes=text("{a} is better than the others", "{a} 比其他方案都更好"),
        no=text("{a} is not better than the others: one of them is better", "{a} 并非最好：有方案优于它"),
    ),
    "choice": Question(text("How safe is it to take the first of the ranking?", "选用排名第一的方案，把握有多大？")),
    "comparison:matrix": Question(text("Which candidates may be the best?", "哪些候选方案可能是最好的？")),
    "ensemble": Question(
        text("Is an average of several candidates better than {w}?", "把几个候选方案平均起来，会比 {w} 更好吗？"),
        yes=text("An average of several candidates is better than {w}", "把几个候选方案平均起来，比 {w} 更好"),
        no=text(
            "No average of several candidates was found that is better than {w}",
            "没有找到比 {w} 更好的平均方案",
        ),
    ),
    "finalists": Question(
        text("Was every recipe tried with every model?", "每个方案都与每个模型组合试过了吗？"),
        no=text("Not every recipe was tried with every model", "并非每个方案都与每个模型组合试过"),
    ),
    "time": Question(
        text("Did everything planned run within the time?", "计划的内容都在时限内跑完了吗？"),
        no=text("Not everything planned ran within the time", "计划的内容没有都在时限内跑完"),
    ),
    "racing": Question(
        text("Did every candidate run to the end?", "每个候选方案都跑完全程了吗？"),
        yes=text("Every candidate ran to the end", "每个候选方案都跑完全程"),
        no=text("Not every candidate ran to the end", "有候选方案没有跑完全程"),
    ),
    "inner-choice": Question(
        text("Did {c} choose alike in every fold?", "{c} 在每一折中的选择都相同吗？"),
        yes=text("{c} chose alike in every fold", "{c} 在每一折中的选择都相同"),
        no=text("{c} did not choose alike in every fold", "{c} 在各折中的选择并不相同"),
    ),
    "cleaned": Question(
        text(
            "Does the comparison stand when suspected labels and copies are left out?",
            "去掉疑似标错的样本和副本后，比较结果还成立吗？",
        ),
        yes=text(
            "The comparison stands when suspected labels and copies are left out",
            "去掉疑似标错的样本和副本后，比较结果仍然成立",
        ),
        no=text(
            "The comparison does not stand when suspected labels and copies are left out",
            "去掉疑似标错的样本和副本后，比较结果不再成立",
        ),
    ),
    "generalisation:test": Question(
        text("Does the score hold on the test part?", "在测试部分上，得分还成立吗？"),
        yes=text("The score holds on the test part", "在测试部分上，得分仍然成立"),
        no=text("The score does not hold on the test part", "在测试部分上，得分不再成立"),
    ),
    "generalisation:choice": Question(
        text("Does the test part confirm the choice?", "测试部分支持这一选择吗？"),
        yes=text("The test part confirms the choice", "测试部分支持这一选择"),
        no=text("The test part does not confirm the choice but contradicts it", "测试部分不支持这一选择，反而与之矛盾"),
    ),
    "generalisation:train": Question(
        text("Has it memorised its training examples?", "它把训练样本死记下来了吗？"),
        yes=text("It has partly memorised its training examples", "它在一定程度上把训练样本死记下来了"),
        no=text("There is no sign that it has memorised its training examples", "没有迹象表明它死记训练样本"),
    ),
    "generalisation:optimism": Question(
        text("Is the best score too good because it was chosen?", "最好的得分是否因为是挑出来的而偏乐观？"),
        yes=text("The best score is too good because it was chosen", "最好的得分因为是挑出来的而偏乐观"),
        no=text("The best score is not noticeably too good", "最好的得分并没有明显偏乐观"),
    ),
    "curve": Question(
        text("Would twice as many examples help noticeably?", "样本翻一倍，会有明显帮助吗？"),
        yes=text("Twice as many examples would help noticeably", "样本翻一倍，会有明显帮助"),
        no=text("Twice as many examples would not help noticeably", "样本翻一倍，不会有明显帮助"),
    ),
    "shift": Question(
        text("Does the score hold on {t}?", "在{t}上，得分还成立吗？"),
        yes=text("The score holds on {t}", "在{t}上，得分仍然成立"),
        no=text("The score does not hold on {t}", "在{t}上，得分不再成立"),
    ),
    "shift:ranking": Question(
        text("Is the ranking of the models kept on {t}?", "在{t}上，模型的排名还保持吗？"),
        yes=text("The ranking of the models is kept on {t}", "在{t}上，模型的排名大体保持"),
        no=text("The ranking of the models is not kept on {t}", "在{t}上，模型的排名没有保持"),
    ),
    "familiar": Question(
        text("What may the models have seen of these data in pretraining?", "模型在预训练中可能见过这些数据中的什么？"),
    ),
    "order": Question(
        text(
            "Does the score survive when neighbours are kept together?",
            "让相邻样本始终分在同一折时，得分还能保持吗？",
        ),
        yes=text("The score survives when neighbours are kept together", "让相邻样本始终分在同一折时，得分仍能保持"),
        no=text(
            "The score does not survive when neighbours are kept together",
            "让相邻样本始终分在同一折时，得分不能保持",
        ),
    ),
    "order:groups": Question(
        text("Are errors within groups independent?", "组内各样本的误差相互独立吗？"),
        no=text("Errors within groups are not independent", "组内各样本的误差并不相互独立"),
    ),
    "order:columns": Question(
        text("Are errors alike within the groups of some column?", "按某一列分组时，组内的误差彼此相似吗？"),
        yes=text("Errors are alike within the groups of a column", "按某一列分组时，组内的误差彼此相似"),
    ),
    "order:neighbours": Question(
        text("Are the errors of neighbours independent?", "相邻样本的误差相互独立吗？"),
        yes=text("The errors of neighbours are practically independent", "相邻样本的误差可视为相互独立"),
        no=text("The errors of neighbours are not independent", "相邻样本的误差并不相互独立"),
    ),
    "stability:spread": Question(
        text("Would other splits and seeds give the same winner?", "换一组划分和随机种子，优胜者还是同一个吗？"),
        yes=text("Other splits and seeds give the same winner", "换一组划分和随机种子，优胜者还是同一个"),
        no=text("Other splits and seeds do not give the same winner", "换一组划分和随机种子，优胜者常常不是同一个"),
    ),
    "stability:alone": Question(text("How much do splits and seeds matter?", "划分和随机种子的影响有多大？")),
    "stability:agreement": Question(
        text("Do repeats agree on single examples?", "各次重复对单个样本的判断一致吗？"),
        yes=text("Repeats agree on nearly all single examples", "各次重复对单个样本的判断几乎一致"),
        no=text("Repeats do not agree on many single examples", "各次重复对不少单个样本的判断并不一致"),
    ),
    "stability:failed": Question(
        text("Did every run finish?", "所有运行都完成了吗？"),
        yes=text("Every run finished", "所有运行都完成了"),
        no=text("Some runs did not finish", "有运行没有完成"),
    ),
    "stability:degenerate": Question(
        text("Did every run learn to tell {w} apart?", "每次运行都学会区分{w}了吗？"),
        no=text("Some runs did not learn to tell {w} apart", "有运行没有学会区分{w}"),
    ),
    "training": Question(
        text("Was training long enough?", "训练得够久吗？"),
        yes=text("Training was long enough", "训练得够久"),
        no=text("Training was not long enough", "训练得不够久"),
    ),
    "variation": Question(
        text("Would more repeats make the score noticeably more certain?", "增加重复次数，会让得分明显更确定吗？"),
        yes=text("More repeats would make the score noticeably more certain", "增加重复次数，会让得分明显更确定"),
        no=text("More repeats would hardly make the score more certain", "增加重复次数，也不会让得分明显更确定"),
    ),
    "calibration": Question(
        text("Can its probabilities be taken at face value?", "它给出的概率可以直接采信吗？"),
        yes=text("Its probabilities can be taken at face value", "它给出的概率可以直接采信"),
        no=text("Its probabilities cannot be taken at face value", "它给出的概率不可直接采信"),
    ),
    "slices": Question(
        text("Does it work equally well for every part of the data?", "它在数据的每个部分上都同样有效吗？"),
        no=text("It does not work equally well for every part of the data", "它并非在数据的每个部分上都同样有效"),
    ),
    "errors:hardest": Question(
        text("Are there examples that every candidate gets wrong?", "是否存在所有候选方案都判错的样本？"),
        yes=text("There are examples that every candidate gets wrong", "存在所有候选方案都判错的样本"),
        no=text("There are no examples that every candidate gets wrong", "不存在所有候选方案都判错的样本"),
    ),
    "errors:residuals": Question(text("How far off is it, and where most?", "偏差有多大？哪里最大？")),
    "errors:entities": Question(text("How does it get entities wrong?", "它在实体上错在哪里？")),
    "errors:confusions": Question(text("Which classes are taken for which?", "哪些类别被判成了哪些类别？")),
    "errors:borders": Question(
        text("Are most wrong pixels near the borders between classes?", "判错的像素大多在类别的边界附近吗？"),
        yes=text("Most wrong pixels are near the borders between classes", "判错的像素大多在类别的边界附近"),
        no=text("Most wrong pixels are not near the borders between classes", "判错的像素大多不在类别的边界附近"),
    ),
    "errors:objects": Question(
        text("Does it miss {a} more often than {b}?", "与{b}相比，它更容易漏掉{a}吗？"),
        yes=text("It misses {a} more often than {b}", "与{b}相比，它更容易漏掉{a}"),
        no=text("It does not miss {a} more often than {b}", "与{b}相比，它并没有更容易漏掉{a}"),
    ),
    "errors:pictures": Question(
        text("How much of a picture is wrong, and in which most?", "每张图片错了多少？哪些错得最多？")
    ),
    "errors:regions": Question(
        text("Are some regions of the masks suspected to be wrong?", "是否有掩码区域疑似标错？"),
        no=text("No regions of the masks are suspected to be wrong", "没有掩码区域疑似标错"),
    ),
    "errors:costs": Question(text("Which mistakes cost most?", "哪种错误损失最大？")),
    "errors:counts": Question(text("How far off are its counts of objects?", "它数出的目标数量偏差有多大？")),
    "errors:worst": Question(text("Which pictures does it do worst on?", "它在哪些图片上表现最差？")),
    "errors:suspects": Question(
        text("Are some boxes suspected to be wrong?", "是否有标注框疑似标错？"),
        no=text("No boxes are suspected to be wrong", "没有标注框疑似标错"),
    ),
    "errors:shift": Question(
        text("What would moving the masks by one pixel cost?", "把掩码移动一个像素，得分会降低多少？")
    ),
    "errors:labels": Question(
        text("Are some labels suspected to be wrong?", "是否有标注疑似有误？"),
        no=text("No labels are suspected to be wrong", "没有标注疑似有误"),
    ),
    "cost": Question(
        text("Is the winner also the cheapest one to run?", "优胜方案也是运行代价最低的吗？"),
        yes=text("The winner is also the cheapest one to run", "优胜方案也是运行代价最低的"),
        no=text("The winner is not the cheapest one to run", "优胜方案不是运行代价最低的"),
    ),
    "advice": Question(
        text("Is there something worth doing before relying on this study?", "在采信本研究之前，还有值得做的事吗？"),
        yes=text("There is something worth doing before relying on this study", "在采信本研究之前，还有值得做的事"),
        no=text(
            "There is nothing that must be done before relying on this study", "在采信本研究之前，没有必须补做的事"
        ),
    ),
    "internal": Question(
        text("Could everything be read?", "所有结果都读出来了吗？"),
        no=text("Not everything could be read", "有结果没有读出来"),
    ),
    "data:clean": Question(
        text("Is anything wrong with the data?", "数据有问题吗？"),
        no=text("Nothing wrong was found with the data", "没有发现数据有问题"),
    ),
}


def asked(key: str, verdict: Verdict, **values: Any) -> dict[str, Any]:
    """The fields of a `Finding` that belong together: question, verdict, and what this verdict says.

    Args:
        key: Row of `QUESTIONS`.
        values: What fills the blanks of the row.

    Raises:
        ValueError: The row does not know this answer: a verdict that its question was never meant to have.
    """
    question = QUESTIONS[key]
    answer = {"yes": question.yes, "no": question.no, "undecided": None}[verdict]
    if answer is None and verdict != "undecided" and not question.open:
        raise ValueError(f"the question {key!r} has no answer {verdict!r}")
    return {
        "question": _filled(question.ask, values),
        "verdict": verdict,
        "answer": None if answer is None else _filled(answer, values),
    }


def is_open(question: Text) -> bool:
    """Whether it is a question that no yes or no answers: which, what, how …"""
    return question.en.split(" ", 1)[0] in OPEN


def _filled(template: Text, values: dict[str, Any]) -> Text:
    return text(template.en, template.zh, **values) if values else template
