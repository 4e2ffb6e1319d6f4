"""What other programs read: tables as CSV, arrays as NPY, and a whole collection as CSV, Parquet, NPY or ZIP."""

import csv
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np

from clipexplore.store.collection import Collection


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as CSV in UTF-8, as spreadsheets read it; texts of visitors have to be made `harmless` before."""
    out = StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode("utf-8-sig")


def npy_file(array: np.ndarray) -> bytes:
    """An array as NPY."""
    out = BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def harmless(cell: str) -> str:
    """The text, with a quote before it where a spreadsheet would take it for a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def as_csv(folder: Path) -> bytes:
    """Id, caption and fields of the items."""
    collection = Collection.open(folder)
    return csv_file(["id", "caption", *collection.fields.columns], _rows(collection, collection.ids))


def as_npy(folder: Path, model: str) -> bytes:
    """The embeddings `(n, dim)` of the pictures, or of the captions where there are none, in the order of the CSV."""
    collection = Collection.open(folder)
    return npy_file(
        collection.embeddings(model, "pictures" if "pictures" in collection.embedded(model) else "captions")
    )


def as_parquet(folder: Path) -> bytes:
    """Id, caption, fields, and a column of embeddings for each model and kind."""
    import pyarrow as pa

    from clipexplore.store.published import parquet

    collection = Collection.open(folder)
    fields = pa.Table.from_pandas(collection.fields, preserve_index=False)
    table = pa.table(
        {"id": collection.ids, "caption": collection.captions}
        | dict(zip(fields.column_names, fields.columns, strict=True))
    )
    for model in sorted(collection.models):
        for kind in sorted(collection.embedded(model), reverse=True):  # pictures first: none of them lacks a vector
            array = collection.embeddings(model, kind)
            column = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])
            table = table.append_column(f"{model} {kind}", column)
    return parquet(table)


def as_zip(folder: Path) -> bytes:
    """The pictures by their ids, and a table `items.csv` of their captions and fields: what can be imported again."""
    collection = Collection.open(folder)
    return some_as_zip(collection, collection.ids)


def some_as_zip(collection: Collection, ids: Sequence[str]) -> bytes:
    """The same of some items, in the order given."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for id in ids:
            archive.writestr(f"{id}.webp", collection.picture(id))
        rows = ([f"{id}.webp", *others] for id, (_, *others) in zip(ids, _rows(collection, ids), strict=True))
        archive.writestr("items.csv", csv_file(["file", "caption", *collection.fields.columns], rows))
    return out.getvalue()


def _rows(collection: Collection, ids: Sequence[str]) -> Iterator[list[str]]:
    """Id, caption and fields of some items, as harmless texts."""
    rows = [collection.row(id) for id in ids]
    fields = collection.fields.iloc[rows].astype("string").fillna("").itertuples(index=False)
    for row, values in zip(rows, fields, strict=True):
        yield [harmless(each) for each in (collection.ids[row], collection.captions[row], *values)]
