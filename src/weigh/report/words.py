"""The fixed words of the report, in both languages, in one place.

Sentences with numbers are written by the findings. Here stand titles, badges, explanations and units: words that are
the same in every report. No word here contains a digit, so the numbers of both languages are the findings' own.
"""

from __future__ import annotations

from weigh.data.texts.scripts import WORDS as SCRIPTS
from weigh.language import Text, text
from weigh.stats.estimate import UNITS as METRIC_UNITS

__all__ = [
    "CLAIMS",
    "CLAIMS_EXPLAINED",
    "DESIGN",
    "LEFT_OUT",
    "OUTCOMES",
    "PURPOSE",
    "PURPOSES",
    "RELATIONS",
    "SECTIONS",
    "STAGES",
    "VALUES",
    "VALUE_KEYS",
    "VERDICTS",
    "WORDS",
    "say",
    "unit_word",
]

CLAIMS = {
    "these_models": Text("these trained models", "针对这几个训练好的模型"),
    "this_data": Text("trained on this data", "针对在这份数据上训练的方案"),
    "new_data": Text("recipes in general", "针对方案本身"),
}
CLAIMS_EXPLAINED = {
    "these_models": Text(
        "Speaks about exactly these trained models, used on new examples of the same kind. What is uncertain: which "
        "examples happened to be drawn.",
        "只针对这几个训练好的模型，说的是它们用在同类新样本上会怎样。不确定性来自恰好抽到了哪些样本。",
    ),
    "this_data": Text(
        "Speaks about these recipes trained on all the data at hand and used on new examples of the same kind, on average over "
        "random seeds. This is the claim to read before shipping a model.",
        "针对用手头全部数据训练的这些方案，说的是对随机种子取平均后，用在同类新样本上会怎样。要上线一个模型，看这一项。",
    ),
    "new_data": Text(
        "Speaks about these recipes on other data sets of this size from the same source. This is the claim to read before "
        "recommending a method.",
        "针对方案本身，说的是换一份来源相同、大小相同的数据集会怎样。要推荐一种方法，看这一项。",
    ),
}
CLAIMS_SHORT = {
    "these_models": Text(
        "exactly these trained models, on new examples of the same kind", "这几个训练好的模型，用在同类新样本上"
    ),
    "this_data": Text(
        "these recipes trained on all the data at hand, on new examples of the same kind",
        "用手头全部数据训练的这些方案，用在同类新样本上",
    ),
    "new_data": Text(
        "these recipes on other data sets of this size from the same source",
        "这些方案换到来源相同、大小相同的其他数据集上",
    ),
}
VERDICTS = {
    "yes": Text("Yes", "是"),
    "no": Text("No", "否"),
    "undecided": Text("Undecided", "尚无定论"),
}
RELATIONS = {
    "better": Text("better", "更好"),
    "worse": Text("worse", "更差"),
    "equal": Text("practically equal", "实际相当"),
    "undecided": Text("undecided", "尚无定论"),
}
OUTCOMES = {
    "holds": Text("holds", "成立"),
    "doubtful": Text("doubtful", "存疑"),
    "violated": Text("violated", "不成立"),
    "unchecked": Text("not checked", "未检验"),
}
SECTIONS = {
    "performance": Text("How well does it do?", "效果如何？"),
    "comparison": Text("Which one is better?", "哪个更好？"),
    "generalisation": Text("Will it hold on new examples?", "换成新样本还成立吗？"),
    "stability": Text("How much of it is luck?", "其中有多少是运气？"),
    "calibration": Text("Can its probabilities be believed?", "它给出的概率可信吗？"),
    "slices": Text("Does it work for every part of the data?", "对数据的每个部分都有效吗？"),
    "errors": Text("What does it get wrong?", "它错在哪里？"),
    "cost": Text("What does it cost?", "代价有多大？"),
    "other": Text("What else was found?", "还发现了什么？"),
}
UNITS = {
    **METRIC_UNITS,
    "examples": Text("examples", "个样本"),
    "folds": Text("folds", "折"),
    "repeats": Text("repeats", "次重复"),
    "groups": Text("groups", "个组"),
    "runs": Text("runs", "次运行"),
    "pairs": Text("pairs", "对"),
    "classes": Text("classes", "个类别"),
    "seeds": Text("seeds", "个种子"),
    "blocks": Text("blocks", "块"),
    "candidates": Text("candidates", "个候选方案"),
    "models": Text("models", "个模型"),
    "count": Text("", ""),
    "columns": Text("columns", "列"),
    "epochs": Text("epochs", "轮"),
    "pixels": Text("pixels", "像素"),
    "sets": Text("sets", "个集合"),
    "entities": Text("entities", "个实体"),
    "tokens": Text("tokens", "个词元"),
    "texts": Text("texts", "条文本"),
    "GMACs for each prediction": Text("GMACs for each prediction", "GMACs（每次预测）"),
    "M parameters": Text("M parameters", "M 参数"),
    "MB of weights": Text("MB of weights", "MB 权重"),
    "items": Text("items", "项"),
    "megabytes": Text("MB", "MB"),
    "looks": Text("looks", "次"),
    "metrics": Text("metrics", "个指标"),
    "parts": Text("parts", "段"),
    "predictions": Text("predictions", "次预测"),
    "slices": Text("parts", "个子集"),
    "times": Text("times", "倍"),
    "per cent": Text("%", "%"),
    "percent": Text("%", "%"),
}
ONE = {
    "classes": "class",
    "entities": "entity",
}  # English words for one of a unit that is counted; of the others the "s" is left out
COUNTED = frozenset(UNITS) - {"count", "points", "nats", "label units", "squared label units", "times", "per cent", "percent", "megabytes", "M parameters"}  # fmt: skip
PURPOSES = {
    "main": Text("cross-validation", "交叉验证"),
    "order-check": Text("order check", "顺序检查"),
    "curve": Text("learning curve", "学习曲线"),
    "components": Text("sources of variation", "变异来源"),
    "cleaned": Text("cleaned data", "清洗后数据"),
    "refit": Text("refit on all training data", "用全部训练数据重新训练"),
}
LEFT_OUT = {  # what a study left out beside purposes and kinds of findings
    "budget": Text("time", "时间"),
    "models": Text("models", "模型"),
    "passed-over": Text("models passed over", "因时间不足未训练的模型"),
}
PURPOSE = {"ship": Text("to ship a model", "上线模型"), "publish": Text("to recommend a method", "推荐方法")}
DESIGN = {  # settings that identify a study
    "folds": Text("folds", "折数"),
    "repeats": Text("repeats", "重复次数"),
    "test": Text("share of the test part", "测试部分占比"),
    "group_by": Text("grouped by", "分组依据"),
    "purpose": Text("purpose", "用途"),
    "vary": Text("varies from run to run", "各次运行间变化的因素"),
}
STAGES = {  # values of rows that are words of ours
    "train": Text("on its own training data", "在自己的训练数据上"),
    "cv": Text("cross-validation", "交叉验证"),
    "cross-validation": Text("cross-validation", "交叉验证"),
    "test": Text("independent test part", "独立测试部分"),
    "before": Text("before temperature scaling", "温度校准之前"),
    "after": Text("after temperature scaling", "温度校准之后"),
    "shuffled": Text("shuffled folds", "随机打乱的折"),
    "fifths": Text("contiguous parts", "连续分段"),
    "loss": Text("training loss", "训练损失"),
    "validation": Text("score on the examples held back", "留出样本上的得分"),
    "predicted": Text("predicted", "预测"),
    "measured": Text("measured", "测量"),
    "evaluation": Text("which examples are in the fold", "该折恰好有哪些样本"),
    "split": Text("how the examples are split", "样本如何划分"),
    "split and seeds": Text("split and seeds together", "划分与随机种子合计"),
    "init": Text("initialisation", "初始化"),
    "order": Text("order of the training examples", "训练样本的顺序"),
    "augmentation": Text("augmentation", "数据增强"),
    "done": Text("done", "完成"),
    "failed": Text("failed", "失败"),
    "missed": Text("missed", "漏掉"),
    "invented": Text("invented", "凭空找出"),
    "wrong type": Text("wrong type", "类型不对"),
    "wrong border": Text("wrong borders", "边界不对"),
    "wrong type and border": Text("wrong type and borders", "类型和边界都不对"),
}
VALUES = {  # the same by column, where a word means another thing elsewhere
    "part": {"train": Text("training part", "训练部分"), "test": Text("test part", "测试部分")},
    "script": SCRIPTS,
    "note": {
        "worse than the rest": Text("worse than the rest", "比其余部分差"),
        "too few to tell": Text("too few to tell", "样本太少，无法判断"),
        "too few entities to tell": Text("too few entities to tell", "实体太少，无法判断"),
        "too few of a class to tell": Text("too few of a class to tell", "某一类别样本太少，无法判断"),
        "described, not compared": Text("described, not compared", "仅供描述，未作比较"),
        "not defined here": Text("not defined here", "在此无定义"),
        "the rest cannot be scored": Text("the rest cannot be scored", "其余部分无法评分"),
        "no spread to judge by": Text("no spread to judge by", "没有波动可供判断"),
        "never trained on when tested": Text("never trained on when tested", "测试时从未训练过"),
    },
    "slice": {"class": Text("class", "类别")},
}
VALUE_KEYS = (
    *VALUES,
    "stage",
    "relation",
    "status",
    "purpose",
    "block",
    "verdict",
    "mistake",
)  # keys whose values are words of ours
WORDS = {
    "measured_here": Text("Measured", "实测"),
    "claims_title": Text("What the three claims mean", "三种适用范围的含义"),
    "note": Text("note", "备注"),
    "value_and_interval": Text("value and interval", "值与区间"),
    "based_on": Text("based on", "依据"),
    "conclude": Text("What may and may not be concluded", "能得出什么，不能得出什么"),
    "data": Text("data", "数据"),
    "design": Text("design", "设计"),
    "estimate": Text("estimate", "估计值"),
    "method_and_numbers": Text("Numbers, method and references", "数字、方法与参考文献"),
    "models": Text("Models and where their weights come from", "模型及其权重来源"),
    "primary": Text("primary metric", "主要指标"),
    "quantity": Text("quantity", "量"),
    "seed": Text("seed", "随机种子"),
    "blocks_of": Text("blocks of {n}", "每块 {n} 个样本"),
    "chosen_no": Text("Best of those tried, but not good enough to use", "已尝试方案中最好的，但不宜使用"),
    "chosen_undecided": Text("Ahead so far, but not settled", "目前领先，尚无定论"),
    "chosen_yes": Text("Recommended", "推荐使用"),
    "only_undecided": Text(
        "The only one with results; whether to use it is not settled", "只有这一个有结果，是否采用尚无定论"
    ),
    "cite_as": Text("Cite as", "引用格式"),
    "comma": Text(", ", "，"),
    "colon": Text(": ", "："),
    "semicolon": Text("; ", "；"),
    "stop": Text(".", "。"),
    "confusions_of_many": Text(
        "The {n} most frequent confusions of {all} classes.", "{all} 个类别中最常见的 {n} 种混淆。"
    ),
    "diagonal": Text("perfect calibration", "完美校准"),
    "given_predicted": Text("labelled ↓ predicted →", "标注 ↓ 预测 →"),
    "matrix_how": Text("Read a row against a column.", "每行为该方案与各列方案相比的结果。"),
    "no": Text("no", "否"),
    "off_front": Text("something is cheaper and no worse", "有更便宜且不更差的方案"),
    "on_front": Text("nothing is cheaper and as good", "没有更便宜且同样好的方案"),
    "yes": Text("yes", "是"),
    "all_numbers": Text("Numbers of this figure", "图中数字"),
    "answer": Text("Answer", "回答"),
    "assumption_is": Text("{name}: {outcome}", "{name}：{outcome}"),
    "assumptions": Text("What must hold for this", "成立的前提"),
    "cite": Text("How to cite and reproduce", "如何引用与复现"),
    "cite_lead": Text(
        "Quote the verdict together with its interval and its claim; without them it says more than was found. To repeat the study, run "
        "the commands below with the same versions; the seeds are in the study file.",
        "引用结论时，请连同区间和结论的适用范围一起引用，否则就会说得比实际发现的更多。要复现本研究，请在相同版本下运行以下命令，随机种子记录在研究文件中。",
    ),
    "claim_is": Text("What it speaks about: {claim}", "适用范围：{claim}"),
    "claim": Text("What it speaks about", "适用范围"),
    "citation": Text(
        "weigh {version}, report of the study “{name}”, {data}.", "weigh {version}，“{name}”研究报告，{data}。"
    ),
    "cite_lead_table": Text(
        "Quote the verdict together with its interval and its claim; without them it says more than was found. The command below, run "
        "where the files are, gives the same report.",
        "引用结论时，请连同区间和结论的适用范围一起引用，否则就会说得比实际发现的更多。在文件所在的文件夹中运行以下命令，会得到同样的报告。",
    ),
    "commands_mean": Text(
        "STUDY is the folder of this report, AGAIN a new one for the repetition.",
        "STUDY 是本报告所在的文件夹，AGAIN 是用于复现的新文件夹。",
    ),
    "commands": Text("Commands", "命令"),
    "contents": Text("Contents", "目录"),
    "data_fine": Text("The data checks found nothing to report.", "数据检查没有发现需要报告的问题。"),
    "detail": Text("More detail", "更多细节"),
    "environment": Text("Environment", "运行环境"),
    "equivalence": Text("region of practical equivalence", "实际等效范围"),
    "estimates": Text("Numbers", "数字"),
    "evidence": Text("The evidence", "证据"),
    "examples": Text("Files concerned", "涉及的文件"),
    "failed_runs": Text("Runs that failed", "失败的运行"),
    "failed_runs_of": Text("{failed} of {all} runs failed", "{all} 次运行中有 {failed} 次失败"),
    "files_more": Text("and {n} more; findings.json names every file", "另有 {n} 个；findings.json 列出了全部文件"),
    "interval": Text("{level} interval", "{level} 区间"),
    "may": Text("What may be concluded", "可以得出的结论"),
    "may_not": Text("What may not be concluded", "不能得出的结论"),
    "method": Text("Method", "方法"),
    "missing_claim_new_data": Text(
        "Nothing here speaks about other data sets: whether the recipes rank the same way on other data was not asked.",
        "本报告不涉及其他数据集：换一份数据，各方案的排名是否相同，并未考察。",
    ),
    "missing_claim_recipes": Text(
        "Nothing here speaks about the recipes behind these models: what training them again, or on other data, would give was not asked.",
        "本报告不涉及这些模型背后的训练方案：重新训练或换一份训练数据会得到什么，并未考察。",
    ),
    "missing_claim_test": Text(
        "There was no independent test part: every score comes from examples of the same data that were held out of training.",
        "没有独立的测试部分：所有得分都来自同一份数据中训练时留出的样本。",
    ),
    "missing_claim_test_read": Text(
        "There was no independent test part: every score comes from the cross-validation that was read.",
        "没有独立的测试部分：所有得分都来自读取的交叉验证。",
    ),
    "missing_claim_test_waits": Text(
        "There is no score on the independent test part: so far every score comes from examples of the same data that were held out of training.",
        "独立的测试部分没有得分：目前所有得分都来自同一份数据中训练时留出的样本。",
    ),
    "next_more": Text("Further proposals", "其他建议"),
    "next_further": Text("Further proposals: {n}, with their findings below.", "其他建议共 {n} 条，见下方各项结论。"),
    "some_folds": Text("some folds only", "仅部分折"),
    "some_folds_mean": Text(
        "Some folds only: these may be easier or harder than the others, so such a score may not be set beside those of all folds. The ranking goes by "
        "the folds in common.",
        "“仅部分折”：这些折可能比其余的更容易或更难，其得分不能与覆盖全部折的得分直接相比；名次按共有的折排定。",
    ),
    "common_folds_mean": Text(
        "* Ran in some folds only: what is shown is the score of the winner plus the difference of the two in the folds that both have.",
        "* 只跑了部分折：图中是优胜者的得分，加上两者共有的折上与优胜者之差。",
    ),
    "more_rows": Text(
        "{n} more {n:|row stands|rows stand} in findings.json and in the ledger", "其余 {n} 行见 findings.json 和记录库"
    ),
    "more_planes": Text(
        "{n} more {n:|candidate is|candidates are} not drawn; findings.json has their numbers.",
        "另有 {n} 个候选方案未画出，其数字见 findings.json。",
    ),
    "next": Text("What to do next", "下一步做什么"),
    "no_headline": Text(
        "There is no verdict yet: no run has been recorded that could answer the question.",
        "尚无结论：还没有可以回答这个问题的运行记录。",
    ),
    "no_room": Text("This page has no room for more of these pictures.", "本页已放不下更多这样的图片。"),
    "nothing_to_conclude": Text("Nothing yet.", "暂无。"),
    "other_language": Text("中文版：report.zh.html", "English version: report.html"),
    "lines": Text("Examples concerned", "涉及的样本"),
    "words_marked": Text(
        "From {n} of these texts words were taken out, one at a time (Li, Monroe & Jurafsky {y}); marked are those that changed the log odds of the "
        "predicted class, in the winner's run of the first repeat that had not trained on the text. An underline with a plus: pushed towards that "
        "class; dots with a minus: away from it. This explains the model and not the truth: words that say the same hide each other, and a "
        "text with a hole is unlike those that a model knows. Asked about: the {t} hardest texts of each of these runs, up to {c} "
        "characters, their first {w} words.",
        "从其中 {n} 条文本中逐个删去一词（Li、Monroe 与 Jurafsky {y}），看所预测类别的对数几率变化多少，并标出了起作用的词；"
        "所用的是优胜者第一次重复中未用该文本训练的那次运行。实线下划线和“+”表示该词把预测推向这一类，点线和“−”表示推离这一类。"
        "这解释的是模型，而不是真相：意思相同的词会互相掩盖，挖去一词的文本也不像模型见过的文本。"
        "只分析这些运行中各自最难的 {t} 条、不超过 {c} 个字符的文本，以及其中前 {w} 个词。",
    ),
    "words_for": Text("towards “{c}”: {w}", "推向“{c}”：{w}"),
    "words_against": Text("away from “{c}”: {w}", "推离“{c}”：{w}"),
    "words_none": Text("no word taken out changed the prediction noticeably", "删去的词都没有单独明显改变预测"),
    "texts_shown": Text("{n} of these {all} {n:|is|are} quoted here.", "这里引用其中 {n} 条，共 {all} 条。"),
    "picture_of": Text("picture {path}", "图片 {path}"),
    "picture_given": Text("labelled {given}", "标注为 {given}"),
    "picture_predicted": Text("predicted {predicted}", "预测为 {predicted}"),
    "picture_wrong": Text("{wrong} of the pixels wrong", "{wrong} 的像素判错"),
    "picture_confusion": Text("mostly {confusion}", "主要是{confusion}"),
    "picture_mistakes": Text("{mistakes}", "{mistakes}"),
    "picture_suspected": Text("{suspected}", "{suspected}"),
    "pictures_shown": Text("Pictures of {n} of these {all}.", "显示其中 {n} 个的图片，共 {all} 个。"),
    "problems": Text("Problems with the data", "数据中的问题"),
    "question": Text("Question", "问题"),
    "references": Text("References", "参考文献"),
    "report_of": Text("Report of the study", "研究报告"),
    "runner_up": Text("Against the runner-up", "与第二名相比"),
    "runs": Text("Every run", "全部运行"),
    "runs_caption": Text("Every recorded run. Choose a column title to sort.", "所有已记录的运行。点击列标题可排序。"),
    "runs_show": Text("Show the table", "展开表格"),
    "seeds": Text("Seeds", "随机种子"),
    "see_evidence": Text("see the evidence", "查看证据"),
    "skip": Text("Skip to the verdict", "跳到结论"),
    "study": Text("Study", "研究"),
    "table": Text("Table", "表格"),
    "test_looks": Text("Times the test part was scored", "测试部分被评分的次数"),
    "theme": Text("Colours", "配色"),
    "theme_auto": Text("automatic", "自动"),
    "theme_dark": Text("dark", "深色"),
    "theme_light": Text("light", "浅色"),
    "title": Text("Verdict", "结论"),
    "undecided_explained": Text(
        "What was measured does not settle this either way.",
        "现有的测量结果不足以给出肯定或否定的回答。",
    ),
    "verdict": Text("The verdict", "结论"),
    "versions": Text("Versions", "版本"),
    "written_by": Text("Written by weigh {version}", "由 weigh {version} 生成"),
}


def unit_word(unit: str, shown: str, language: str) -> str:
    """A unit after a number as it is written: "1 example", "2 examples"; a unit that is not known as it is called."""
    word = UNITS[unit].render(language) if unit in UNITS else unit
    if shown != "1" or language == "zh" or unit not in COUNTED:
        return word
    return ONE.get(word, word.removesuffix("s"))


def say(key: str, language: str, **values: object) -> str:
    """The fixed word `key` in `language`, its blanks filled with `values` (as they are: escape afterwards)."""
    template = WORDS[key].render(language)
    if not values:
        return template
    return template.format(**values) if language == "zh" else text(template, "", **values).en
