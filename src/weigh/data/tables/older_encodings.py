"""Which of the older encodings a file is written in, told from the letters that it would hold: frequent ones in the right one, rare
ones in all others.

Before it: bytes that are no UTF-8 (`text_encoding.py`). After it: a guess, which is said and can be overruled by `data.encoding`.
"""

from __future__ import annotations

import codecs
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

__all__ = ["ENCODINGS", "guess_encoding"]

SAMPLE = 200_000  # bytes
LEAST = 0.2  # share of frequent letters from which on a guess is believed
BONUS = 0.25  # for the encoding of the training data: a file of a few lines holds too few letters to decide

_HAN = (
    "的一是不了在人有我他中上大和到以就出可也你能而子那得下自之年作用道行所然家事成方多去法如都同分好小部其主理心她本前但因只想日者意力它把十"
    "民第公此已工使情明性知全三又正外高由很最重物手文美相利什二或新己制身果加西月合回代信表化老世位次度常先海通教原立及比水名各入口平系更打女"
    "四何安少才反受目太再感做接必件市直命山金便空基眼非白光放像王完式色路南品住告求程北死交取望今切味送餐快"
)
_SIMPLE = "们来为国说时要会对于过发后里种经么学现当没动面起看定天还进些样开从实军无与长机关点业将两间问并应战向头体政见被等产话特内给门任儿东声提员解真论处走义几认条气题活别变神总电数报结量建务场计管期德资统区保队决治展马书则听界达强难权这个错卖员质价店服"
_TRADITIONAL = "們來為國說時要會對於過發後裡種經麼學現當沒動面起看定天還進些樣開從實軍無與長機關點業將兩間問並應戰向頭體政見被等產話特內給門任兒東聲提員解真論處走義幾認條氣題活別變神總電數報結量建務場計管期德資統區保隊決治展馬書則聽界達強難權這個錯賣員質價店服"
_MARKS = "，。！？、：；“”（）《》「」『』"
_HANGUL = (
    "이다는을가고에의하한지로은를도기사인서나대자어들수있그시리해과것아니정으일부게라전제여면상보주장만동구안조원유국없성공소우았었습세비등"
    "음요마개용후중러내말위며적명생행물연때와했던좋맛친절배송품질별네점너무더요까야데든겠않못왜또잘감추천재"
)
_KANA = "".join(map(chr, [*range(0x3041, 0x3094), *range(0x30A1, 0x30FD)])) + "、。「」"
_WEST = "éèàêôçîûâüöäßñóíáúåøæœëïìòùãõÉÈÀÖÄÜÅØÆÇÑÁÍÓÚ’‘“”–—…€«»°¿¡ºª"
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžőűăâîđöüäßŁŚŻŹČŘŠŽ„”–…"


class Encoding(NamedTuple):
    """An encoding and the letters that are frequent in what is written in it."""

    name: str
    codec: str
    frequent: frozenset[str]


ENCODINGS = tuple(
    Encoding(name, codec, frozenset(letters))
    for name, codec, letters in (
        ("Windows-1252", "cp1252", _WEST),
        ("GB 18030", "gb18030", _HAN + _SIMPLE + _MARKS),
        ("CP949 (Korean)", "cp949", _HANGUL),
        ("Shift-JIS", "cp932", _KANA),
        ("EUC-JP", "euc_jp", _KANA),
        ("Big5", "big5hkscs", _HAN + _TRADITIONAL + _MARKS),
        ("Windows-1251 (Cyrillic)", "cp1251", "оеаинтсрвлкмдпуяыьґії"),
        ("KOI8-R (Cyrillic)", "koi8-r", "оеаинтсрвлкмдпуяыь"),
        ("CP866 (Cyrillic)", "cp866", "оеаинтсрвлкмдпуяыь"),
        ("Windows-1250 (Central Europe)", "cp1250", _CENTRAL),
        ("ISO 8859-2 (Central Europe)", "iso8859-2", _CENTRAL),
        ("Windows-1254 (Turkish)", "cp1254", "ıİşŞğĞüöçÜÖÇâî’"),
        ("Windows-1253 (Greek)", "cp1253", "αοιετσνηυρπκμλωάίέόςήύθδ"),
        ("Windows-1255 (Hebrew)", "cp1255", "יוהאלתרבמשנםחד"),
        ("Windows-1256 (Arabic)", "cp1256", "اليمنرتبوهسعدفكحقأة"),
        ("Windows-874 (Thai)", "cp874", "านรอกเงมยลวดทสตะปบคหแจพชขใไีิื่้ัู์็"),
        ("CP850 (DOS)", "cp850", _WEST),
        ("Mac Roman", "mac-roman", _WEST),
    )
)
FEW = 40  # bytes beyond ASCII: fewer decide only between the usual encodings
USUAL = frozenset(("cp1252", "gb18030", "cp949", "cp932", "big5hkscs", "cp1251"))
LATIN = frozenset(("cp1252", "cp1250", "iso8859-2", "cp1254", "cp850", "mac-roman"))
CLOSING = "’”“»…–—"  # signs that follow a letter
SEVERAL_BYTES = frozenset(("gb18030", "cp949", "cp932", "euc_jp", "big5hkscs"))


def guess_encoding(raw: bytes, prefer: str | None = None) -> Encoding | None:
    """The encoding whose frequent letters `raw` holds most of, or None where none fits.

    Args:
        raw: Bytes that are no UTF-8.
        prefer: Name of the one that the training data are written in.
    """
    sample = raw[:SAMPLE]
    best: tuple[float, int, Encoding] | None = None
    few = sum(b > 127 for b in sample) < FEW
    for place, encoding in enumerate(ENCODINGS):
        if few and encoding.codec not in USUAL and encoding.name != prefer:
            continue
        share = _share_of_frequent(sample, encoding)
        if share is None:
            continue
        share += BONUS if encoding.name == prefer else 0.0
        if share >= LEAST and (best is None or share > best[0] + 1e-9):
            best = (share, place, encoding)
    return best[2] if best else None


def _share_of_frequent(raw: bytes, encoding: Encoding) -> float | None:
    """Share of the letters beyond ASCII that are frequent ones; None where `raw` cannot be read so."""
    try:
        content = codecs.getincrementaldecoder(encoding.codec)("strict").decode(
            raw
        )  # the sample may end inside a letter
    except UnicodeDecodeError:
        return None
    letters = Counter(content)  # whatever follows is asked once of each letter, pair or triple, and not at every place
    beyond = sum(count for c, count in letters.items() if c > "\x7f")
    if not beyond:
        return None
    share = sum(count for c, count in letters.items() if c > "\x7f" and c in encoding.frequent) / beyond
    if encoding.codec in SEVERAL_BYTES:
        return share
    pairs = Counter(pairwise(content))
    if (
        encoding.codec in LATIN
    ):  # letters with accents stand among plain ones (long runs are another script), signs do not follow letters
        triples = Counter(zip(content, content[1:], content[2:], strict=False))
        strange = sum(count for run, count in triples.items() if all(c > "\x7f" and c.isalpha() for c in run))
        strange += sum(
            count
            for (a, b), count in pairs.items()
            if a.isalpha() and b > "\x7f" and not b.isalpha() and b not in CLOSING
        )
    else:  # and letters of another script do not stand inside of Latin words
        strange = sum(
            count for (a, b), count in pairs.items() if (a > "\x7f") != (b > "\x7f") and a.isalpha() and b.isalpha()
        )
    return share * max(0.0, 1 - 2 * strange / beyond)
