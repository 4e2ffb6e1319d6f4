"""Tables as Parquet: read back by pyarrow alone, in groups that are small. The rules for items are tested where collections are made."""

import io

import pyarrow as pa
import pyarrow.parquet
import pytest

from clipexplore.collections.tables import GROUP, SHARD, shard_name, shard_parquet


@pytest.mark.parametrize("pictures", [True, False])
def test_a_shard_is_read_in_small_groups(pictures):
    table = pa.table({"id": [str(row) for row in range(SHARD)], "place": ["jungle", None] * (SHARD // 2)})
    if pictures:
        table = table.append_column("picture", pa.array([bytes([row]) * 100 for row in range(SHARD)]))
    file = pyarrow.parquet.ParquetFile(io.BytesIO(shard_parquet(table)))
    assert file.read().equals(table) and file.num_row_groups == SHARD // GROUP
    assert file.read_row_group(2)["id"][0].as_py() == str(2 * GROUP)


def test_the_same_table_is_the_same_file():
    table = pa.table({"id": ["a", "b"], "picture": [b"x", b"y"]})
    assert shard_parquet(table) == shard_parquet(pa.table({"id": ["a", "b"], "picture": [b"x", b"y"]}))


def test_names_sort_as_their_numbers():
    names = [shard_name(number) for number in (0, 9, 10, 99999)]
    assert names == sorted(names) and names[0] == "shards/00000.parquet"
