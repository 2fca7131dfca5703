"""How an estimate was made, in the reader's language.

Findings and statistics name their methods in short English phrases, which findings.json keeps; here they are in Chinese.
A phrase that stands nowhere is shown as it is; `tests/report/test_chinese.py` looks for such. Before it: nothing.
"""

from __future__ import annotations

import re

from weigh.report.visible import visible

__all__ = ["method_in_words"]

UNITS = {"examples": "样本", "groups": "组", "runs": "运行", "repeats": "重复", "blocks": "区块", "folds": "折"}
PHRASES = (  # patterns of whole methods; a group is a unit or stays as it is
    (r"count", "计数"),
    (r"as set", "按设置"),
    (r"share of the draws", "抽选次数的占比"),
    (r"cross-validated, a description", "交叉验证，仅作描述"),
    (r"halves of the pictures", "各半图片与全部图片之比较"),
    (r"sd", "标准差"),
    (r"sd, no interval", "标准差，不设区间"),
    (r"share", "占比"),
    (r"share, no interval", "占比，不设区间"),
    (r"share of the examples", "占全部样本的比例"),
    (r"share of bootstrap draws", "占自助抽样次数的比例"),
    (r"labels drawn from the model's own calibrated probabilities", "按模型自己校准后的概率抽取标注"),
    (r"share of the runs that both have, ties half; a description", "在两者共有的运行中胜出的比例，平局计一半；仅供描述"),
    (r"this pair alone, flat prior; a description", "只看这一对，均匀先验；仅供描述"),
    (r"same blocks", "在相同区块上"),
    (r"cross-validation", "交叉验证"),
    (r"cross-validation, no interval", "交叉验证，不设区间"),
    (r"chosen, not estimated", "人为选定，非估计值"),
    (r"description, no interval", "仅供描述，不设区间"),
    (r"mean count", "平均个数"),
    (r"mean count over repeats", "各次重复的平均个数"),
    (r"mean over runs", "各次运行的平均"),
    (r"mean over examples", "各样本的平均"),
    (r"mean within folds, no interval", "折内平均，不设区间"),
    (r"difference of means, no interval", "均值之差，不设区间"),
    (r"both measurements, weighted by their precision", "两次测量按精度加权"),
    (r"difference of independent samples", "独立样本之差"),
    (r"difference of independent samples \(MOVER\), simultaneous over models and sets", "独立样本之差（MOVER），对所有模型和集合同时成立"),
    (r"difference of drops, models paired within each set, simultaneous over models and sets", "下降幅度之差，模型在每个集合内配对，对所有模型和集合同时成立"),
    (r"coupled bootstrap, no interval", "耦合自助法，不设区间"),
    (r"mean over draws", "对抽样取平均"),
    (r"share of repeated choices", "在重复挑选中所占的比例"),
    (r"influence of (\w+) with their part in training and the variance between runs, corrected for the choice among (\d+)", "影响函数（按{0}），计入其在训练中的作用和运行间方差，并扣除从 {1} 个方案中挑选带来的运气"),
    (r"influence of (\w+), corrected for the choice among (\d+)", "影响函数（按{0}），并扣除从 {1} 个方案中挑选带来的运气"),
    (r"Bayesian bootstrap over (\w+)", "贝叶斯自助法（按{0}）"),
    (r"Bayesian bootstrap over (\d+) stretches of the order", "贝叶斯自助法（按顺序分成的 {0} 段）"),
    (r"influence of (\w+) with their part in training and the variance between runs, t, Bonferroni over (\d+) slices", "影响函数（按{0}），计入其在训练中的作用和运行间方差，t 分布，对 {1} 个子集作 Bonferroni 校正"),
    (r"influence of (\w+), t, Bonferroni over (\d+) slices", "影响函数（按{0}），t 分布，对 {1} 个子集作 Bonferroni 校正"),
    (r"variance between blocks", "区块间方差"),
    (r"bootstrap", "自助法"),
    (r"power law averaged over its exponent, influence of (\w+) and runs", "幂律（对指数取平均），影响函数（按{0}）与运行间方差"),
    (r"share of out-of-fold labels", "占折外标签的比例"),
    (r"root mean square of the change, as a share of how far answers lie apart", "变化的均方根，占回答间差异的比例"),
    (r"mean of the repeats, no interval", "各次重复的平均，不设区间"),
    (r"median", "中位数"),
    (r"minimum of the log loss over the examples of one fold; no interval", "在一折的样本上使对数损失最小，不设区间"),
    (r"influence of (\w+) with their part in training and the variance between runs, Bonferroni over (\d+) pairs", "影响函数（按{0}），计入其在训练中的作用和运行间方差，对 {1} 对类别作 Bonferroni 校正"),
    (r"influence of (\w+), Bonferroni over (\d+) pairs", "影响函数（按{0}），对 {1} 对类别作 Bonferroni 校正"),
    (r"influence of (\w+) with their part in training and the variance between runs", "影响函数（按{0}），计入其在训练中的作用和运行间方差"),
    (r"influence of (\w+) and runs", "样本影响函数与运行间方差（按{0}）"),
    (r"influence of the examples within folds, no interval", "折内样本的影响函数，不设区间"),
    (r"influence of (?:each of )?(?:the )?(\w+)", "影响函数（按{0}）"),
    (r"influence of each (\w+), with its part in training and the variance between runs", "影响函数（按{0}），计入其在训练中的作用和运行间方差"),
    (r"paired influence of each on the difference over (\w+), simultaneous over all pairs", "配对差异的影响函数（按{0}），对所有配对同时成立"),
    (r"paired influence of each, with its part in training and the variance between runs, over (\w+), simultaneous over all pairs", "配对差异的影响函数（按{0}），计入其在训练中的作用和运行间方差，对所有配对同时成立"),
    (r"at the look that dropped it; simultaneous over all pairs and looks", "淘汰它的那次查看；对所有配对和各次查看同时成立"),
    (r"80 % power at this level", "在此置信水平下功效为 80 %"),
    (r"fact about the model, not estimated", "模型的固有属性，非估计值"),
    (r"counted on the texts of this study", "按本研究的文本统计"),
    (r"expected calibration error, (\d+) bins, debiased", "期望校准误差，{0} 个分箱，已去偏"),
    (r"minimum of the log loss over all out-of-fold logits; no interval", "使全部折外预测的对数损失最小；不设区间"),
    (r"squared sums of groups against sums of squares, delta method", "组内和的平方与平方和之比，delta 法"),
    (r"examples divided by the design effect", "样本数除以设计效应"),
    (r"square root of the design effect", "设计效应的平方根"),
    (r"Kish's design effect of sets of copies", "副本组的设计效应"),
    (r"permutation within classes, where examples have one", "类内置换检验（样本有类别时）"),
    (r"analysis of variance, generalised pivotal quantities", "方差分析，广义枢轴量"),
    (r"power laws with exponents from (-?[\d.]+) to ([\d.]+), weighted by their fit", "指数从 {0} 到 {1} 的幂律，按拟合优度加权"),
    (r"Kendall's tau-b; bootstrap towards 0, undecided pairs in either order away from it", "肯德尔 τ-b；自助法趋向零，未分胜负的配对按两种次序远离零"),
    (r"no interval: (?:too )?few(?:er than \d+)? independent (\w+)(?: in one of the sets)?", "不设区间：独立{0}太少"),
    (r"no interval: the points lie on no power law", "不设区间：各点不符合幂律"),
    (r"no interval: no folds in common", "不设区间：没有共同的折"),
    (r"no interval: no variation", "不设区间：没有变化"),
    (r"no interval.*", "不设区间"),
    (r"no estimate: too few groups or no errors", "不作估计：组太少或没有误差"),
    (r"mean, no interval", "平均，不设区间"),
    (r"Student's t over runs, corrected for shared training examples", "各次运行间的学生 t 分布，已按共用训练样本校正"),
    (r"mean over runs", "各次运行的平均"),
    (r"simulated", "来自模拟研究"),
    (r"no object", "不找目标的基线"),
    (r"most frequent class", "多数类基线"),
    (r"one class everywhere", "全图一类"),
    (r"no entity", "不找实体的基线"),
    (r"mean", "均值基线"),
    (r"constant answer", "恒定回答"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in PHRASES)


def method_in_words(method: str, language: str) -> str:
    """`method` as a reader of `language` wants it."""
    if language == "zh":
        for pattern, words in _PATTERNS:
            match = pattern.fullmatch(method)
            if match is not None:
                return words.format(*(UNITS.get(part or "", part or "") for part in match.groups()))
    return visible(method)
