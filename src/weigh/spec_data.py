"""The section `data` of study.yaml: where the labelled examples are, and how they are read."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from weigh.language import text
from weigh.spec_errors import WrongSettingError

__all__ = ["ColumnsSpec", "DataSpec", "Name", "Section"]

# "ö" as one character: what the user typed and what a table holds are compared in one Unicode form. Of labels that are true and false, in whatever
# letters, the classes are called True and False (`data/rows/assembly.py`).
Name = Annotated[
    str,
    BeforeValidator(lambda name: str(name) if isinstance(name, bool) else name),
    AfterValidator(lambda name: unicodedata.normalize("NFC", name)),
]


BoxFormat = Literal["xyxy", "xywh", "cxcywh", "relative-xyxy", "relative-xywh", "relative-cxcywh"]


class Section(BaseModel):
    """A part of study.yaml: what it does not know is refused, and so are numbers that are none (nan passes every comparison with a limit)."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True, allow_inf_nan=False
    )


class ColumnsSpec(Section):
    """Names of the columns of a table."""

    path: Name = Field(
        default="path",
        description="Column with the file path, relative to data.root or to the table; file_name, where a table of pictures has that and no path.",
    )
    label: Name = Field(
        default="label", description="Column with the label; several labels are joined with data.label_separator."
    )
    text: Name | None = Field(
        default=None,
        description="Column with the text (its number, from 1, where there is no header); default: told by its name.",
    )
    text_pair: Name | None = Field(default=None, description="Column with the second text, for sentence pairs.")
    group: Name | None = Field(
        default=None, description="Column whose values must not be split (patient, module, site)."
    )
    split: Name | None = Field(
        default=None,
        description="Column with train / val / test; default: one called split, subset, set, part or the like, where it says so.",
    )
    tag_names: list[Name] | None = Field(
        default=None, description="What numeric tags of tokens stand for, in their order: [O, B-PER, I-PER]."
    )
    box: list[Name] | None = Field(
        default=None,
        description="Columns with the four numbers of a box in their order, or one column with all four; default: told by their names.",
    )
    kept: Name | None = Field(
        default=None, exclude=True, description="A column that is kept whatever it holds; design.group_by sets it."
    )


class DataSpec(Section):
    """Where the labelled examples are."""

    train: str = Field(
        description="Folder per class, table (.csv, .tsv, .parquet, .jsonl), file of tagged tokens, pictures with masks or boxes, local datasets folder or hub name."
    )
    test: str | None = Field(default=None, description="An independent test folder or table; read once, at the end.")
    shifted: dict[str, str] = Field(
        default_factory=dict,
        description="Further test sets from elsewhere, by name ({winter: photos/winter}); each is compared with the test part.",
    )
    root: str | None = Field(
        default=None, description="Folder that paths in a table are relative to; default: the table's folder."
    )
    class_folder: Literal["outer", "inner"] | None = Field(
        default=None, description="Which names the class where class folders hold folders of their own; default: outer."
    )
    columns: ColumnsSpec = ColumnsSpec()
    encoding: str | None = Field(
        default=None,
        description="What the files are written in where it is not UTF-8 (cp949, cp1251 …); default: told from the letters.",
    )
    slices: list[Name] | None = Field(
        default=None, description="Metadata columns to report scores by; default: all short ones."
    )
    label_offset: int = Field(0, description="Added to numeric labels (-1 where labels count from 1).")
    label_separator: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Set it ('|') where one example has several labels."
    )
    positive: Name | None = Field(
        default=None, description="The class of interest of a two-class task; default: the rarer one."
    )
    classes: str | list[Name] | dict[str, Name] | None = Field(
        default=None,
        description="What the values of masks mean: a file (classes.txt, labelmap.txt, class_dict.csv, .json), names in the order of the "
        "values, or {value or colour: name}; default: such a file beside the masks, else the values are the names. Of boxes whose classes are "
        "numbers (YOLO): what these stand for; default: data.yaml or classes.txt.",
    )
    ignore: list[str] | None = Field(
        default=None,
        description="Values, colours ('224,224,192') or class names of masks whose pixels are neither trained on nor scored; [] for none; "
        "default: told from the masks, and said.",
    )
    box_format: BoxFormat | None = Field(
        default=None,
        description="What the four numbers of a box are: xyxy (left, top, right, bottom), xywh (left, top, width, height), cxcywh (centre, width, "
        "height); relative-… where they are shares of the width and height of the picture. Default: told from the names of columns and from the "
        "pictures, an error where two readings are plausible.",
    )
    origin: Literal[0, 1] | None = Field(
        default=None,
        description="Of boxes in pixels: the number of the first pixel. Default: 0; of Pascal VOC 1, unless a coordinate is 0.",
    )
    group_pattern: str | None = Field(
        default=None,
        description="A regular expression found in the path of an example; what its brackets hold is the group, which is never split.",
    )
    group_blocks: Annotated[int, Field(ge=2, le=10_000)] | None = Field(
        default=None,
        description="For slices of one stack or frames of one film: cut every group of data.group_pattern (default: all examples) into so many "
        "contiguous blocks in the order of the names; a block is never split.",
    )

    @field_validator("ignore", mode="before")
    @classmethod
    def _accept_one(cls, value: Any) -> Any:
        """`255`, `[255, void]` and `[[224, 224, 192]]` are understood."""
        if value is None or isinstance(value, dict):
            return value
        rows = value if isinstance(value, list) else [value]
        return [",".join(map(str, row)) if isinstance(row, list) else row for row in rows]

    @field_validator("train", "test")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if value == "":  # as from a shell's variable that is not set: it would be the folder one happens to stand in
            raise WrongSettingError(
                text(
                    "it is empty; name a folder or a file ('.' is the folder you are in)",
                    "为空；请给出文件夹或文件（“.”表示当前文件夹）",
                )
            )
        return value

    @field_validator("group_pattern")
    @classmethod
    def _known_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError) as error:
                raise WrongSettingError(
                    text("it is no regular expression: {e}", "不是正则表达式：{e}", e=error)
                ) from None
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "".encode(value)
                b"".decode(value)
            except (LookupError, ValueError):
                raise WrongSettingError(
                    text(
                        "there is no encoding called '{v}'; for example: utf-8, cp949, cp1251, shift_jis, big5, cp1252",
                        "没有名为“{v}”的编码；例如：utf-8、cp949、cp1251、shift_jis、big5、cp1252",
                        v=value,
                    )
                ) from None
        return value

    @model_validator(mode="before")
    @classmethod
    def _accept_short_columns(cls, value: Any) -> Any:
        """`data.text`, `data.text_pair`, `data.label` and `data.tag_names` are short for data.columns.text and so on."""
        short = {"text", "text_pair", "label", "tag_names"}
        if not isinstance(value, dict) or not short & value.keys():
            return value
        columns = value.get("columns") or {}
        if not isinstance(columns, dict):
            return value
        named = {key: value[key] for key in short & value.keys()}
        if twice := sorted(key for key in named if key in columns and columns[key] != named[key]):
            raise WrongSettingError(
                text(
                    "data.{c} and data.columns.{c} name different columns",
                    "data.{c} 与 data.columns.{c} 指定了不同的列",
                    c=twice[0],
                )
            )
        return {k: v for k, v in value.items() if k not in short} | {"columns": {**columns, **named}}
