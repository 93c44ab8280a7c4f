"""How the text of a raw table is to be read: one description, from whichever of three tells it.

An upload's ``meta`` wins over everything; else the model of the DataTransform that was fitted
before; else the parameters of this one. Source: FATE 1.x, docs/compat/data.md.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from federatedml.errors import BadData
from federatedml.params import Params

InputFormat = Literal["dense", "sparse", "svmlight", "tag"]
DataType = Literal["int", "int64", "float", "float64", "str", "long"]

WHOLE_TYPES = frozenset({"int", "int64", "long"})


class Format(Params, frozen=True, kw_only=True):
    """Names and defaults are those of FATE's upload ``meta``.

    id_list: match id columns of a dense table. id_range: how many leading fields of a sparse or
    tag row are match ids. label_name: None stands for the format's own default.
    """

    delimiter: str = ","
    input_format: InputFormat = "dense"
    tag_with_value: bool = False
    tag_value_delimiter: str = ":"
    with_match_id: bool = False
    id_list: list[str] | None = None
    id_range: int = 0
    exclusive_data_type: dict[str, DataType] | None = None
    data_type: DataType = "float64"
    with_label: bool = False
    label_name: str = "y"
    label_type: DataType = "int"

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise ValueError("delimiter must be one character")
        if not self.tag_value_delimiter:
            raise ValueError("tag_value_delimiter must not be empty")
        if self.id_range < 0:
            raise ValueError("id_range must be 0 or more")

    @property
    def is_wide(self) -> bool:
        """Whether a row is one text of fields that name themselves."""
        return self.input_format != "dense"

    @property
    def n_match_ids(self) -> int:
        """Leading match id fields of a sparse or tag row."""
        return (self.id_range or 1) if self.with_match_id else 0


def of_meta(meta: dict[str, Any]) -> Format:
    """The format that an upload's ``meta`` describes. Raises BadData naming the wrong entry."""
    try:
        return msgspec.convert(meta, Format)
    except msgspec.ValidationError as error:
        raise BadData(f"the table's upload meta does not fit: {error}") from None
