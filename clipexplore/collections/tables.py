"""The tables of a collection as Parquet: which columns an item has, which ids are allowed, how a shard is laid out.

Separate because whoever writes a collection in one go and whoever lets one grow write the same tables.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from clipexplore.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ITEMS = "items.parquet"
SHARD, GROUP = 256, 32  # items in a shard, and in one of its row groups, which are read as a whole
CONTENT = "content"  # the column of an import with the checksum of what an item was made of; no field
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what "@id" can say in an expression


def shard_name(number: int) -> str:
    """The name of the shard of that number, from 0."""
    return f"shards/{number:05d}.parquet"


def shard_parquet(table: pa.Table) -> bytes:
    """The content of a shard: small groups of rows, and nothing packed that is packed already."""
    packed = [name for name in table.column_names if name != "picture"]
    compression = dict.fromkeys(packed, "zstd") | ({"picture": "none"} if "picture" in table.column_names else {})
    return parquet(table, row_group_size=GROUP, compression=compression, use_dictionary=packed)


def parquet(table: pa.Table, **options: Any) -> bytes:
    """A table as the content of a Parquet file."""
    import pyarrow.parquet

    data = io.BytesIO()
    pyarrow.parquet.write_table(table, data, **options)
    return data.getvalue()


def check_items(items: pd.DataFrame, pictures: list[bytes] | None) -> None:
    """Refuses items that lack an id or a caption, or whose ids cannot be told apart or written, and pictures that are not one for each.

    Raises
    ------
    InputError
        For the first rule that is broken.
    """
    if missing := {"id", "caption"} - set(items.columns):
        raise InputError(f"The items lack the column {' and '.join(sorted(missing))}; give each an id and a caption.")
    if items.empty:
        raise InputError("There are no items; a collection needs at least one.")
    for id in items["id"]:
        if not (isinstance(id, str) and ID.fullmatch(id)):
            raise InputError(f"The id {id!r} cannot be written as @id; use letters, digits, dots, dashes, underscores.")
    if len(twice := items["id"][items["id"].duplicated()]):
        raise InputError(f"The id {twice.iloc[0]} is there twice; give each item its own.")
    if not all(isinstance(caption, str) for caption in items["caption"]):
        raise InputError("An item has no caption; give each one a text.")
    if pictures is not None and len(pictures) != len(items):
        raise InputError(f"There are {len(pictures)} pictures for {len(items)} items; give one for each.")
