"""How the findings of a study show themselves in a notebook: the page's own drawings in a frame of their own style.

Notebooks have no policy of ours and share one page among cells, so everything stands in one element whose rules
(the page's, scoped by nesting) cannot leak out, and without any script. Before it: `html.py`.
"""

from __future__ import annotations

from markupsafe import Markup

from weigh.findings.model import FindingsFile
from weigh.report.html import page_style
from weigh.report.quantities import show_estimate
from weigh.report.story import rival_line, tell
from weigh.report.visible import visible
from weigh.report.words import say

__all__ = ["study_html"]


def study_html(file: FindingsFile, language: str) -> str:
    """The verdict and what to do next, for `_repr_html_`."""
    story = tell(file)
    parts = [Markup('<p class="eyebrow">weigh · <bdi>{}</bdi></p>').format(visible(file.study.get("name", "")))]
    if story.headline is None:
        parts.append(Markup("<p>{}</p>").format(say("no_headline", language)))
    else:
        if story.estimate is not None:
            parts.append(Markup('<p class="winner">{}</p>').format(visible(show_estimate(story.estimate, language))))
        parts.append(Markup('<p class="sentence">{}</p>').format(visible(story.headline.sentence.render(language))))
    if story.rival is not None:
        parts.append(Markup("<p>{}</p>").format(visible(rival_line(file, story.rival, language))))
    if story.next:
        steps = Markup("").join(Markup("<li>{}</li>").format(visible(p.sentence.render(language))) for p in story.next)
        parts.append(
            Markup('<p class="next-title">{}</p><ol class="steps">{}</ol>').format(say("next", language), steps)
        )
    return _framed(Markup('<div class="finding">{}</div>').format(Markup("").join(parts)), language)


def _framed(content: Markup, language: str) -> str:
    lang = "zh-CN" if language == "zh" else "en"
    return str(
        Markup('<div class="weigh-frame" lang="{}"><style>{}</style>{}</div>').format(
            lang, page_style(".weigh-frame"), content
        )
    )
