"""Taking a collection away: its items as CSV or Parquet, its embeddings as NPY, its pictures as ZIP; each made when it is asked for."""

import csv
import io
import zipfile
from functools import partial

import numpy as np
import streamlit as st

from clipexplore.collection import Collection
from clipexplore.collections.shards import REJECTED
from clipexplore.collections.shelves import Shelved

from .results import harmless
from .texts import text

MOST_BYTES = 2_000_000_000  # that go through a browser; the folder itself is as readable


def export_row(card: Shelved) -> None:
    """A button for each form that a collection can be taken away in."""
    if not card.items:
        return
    forms = {"csv": (as_csv, "text/csv"), "parquet": (as_parquet, "application/octet-stream")}
    model = st.session_state["model"]
    if model in card.models:
        forms["npy"] = (partial(as_npy, model=model), "application/octet-stream")
    if card.pictures and card.bytes < MOST_BYTES:
        forms["zip"] = (as_zip, "application/zip")
    with st.container(horizontal=True, gap="small"):
        for form, (make, mime) in forms.items():
            st.download_button(form.upper(), partial(make, card.folder), f"{card.name}.{form}", mime, key=f"{form}-{card.name}", on_click="ignore", icon=":material/download:")
    if (card.folder / REJECTED).is_file() and (card.folder / REJECTED).stat().st_size > 20:
        refused = (card.folder / REJECTED).read_bytes
        st.download_button(text("imports.refused"), refused, REJECTED, "text/csv", key=f"refused-{card.name}", on_click="ignore", icon=":material/report:", type="tertiary")


def as_csv(folder) -> bytes:
    """Id, caption and fields."""
    found, out = Collection.open(folder), io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["id", "caption", *found.fields.columns])
    for id, caption, values in zip(found.ids, found.captions, found.fields.astype("string").fillna("").itertuples(index=False), strict=True):
        rows.writerow([harmless(each) for each in (id, caption, *values)])
    return out.getvalue().encode("utf-8-sig")


def as_npy(folder, model: str) -> bytes:
    """The embeddings of the pictures, or of the captions where there are no pictures, `(n, dim)` float32, in the order of the CSV."""
    found, out = Collection.open(folder), io.BytesIO()
    np.save(out, found.embeddings(model, "pictures" if found.has_pictures else "captions"), allow_pickle=False)
    return out.getvalue()


def as_parquet(folder) -> bytes:
    """Id, caption, fields, and a column of embeddings for each model and kind."""
    import pyarrow as pa

    from clipexplore.collections.tables import parquet

    found = Collection.open(folder)
    columns = pa.Table.from_pandas(found.fields, preserve_index=False)
    whole = pa.table({"id": found.ids, "caption": found.captions} | {name: columns[name] for name in columns.column_names})
    for name in sorted(found.manifest["files"]):
        if name.startswith("embeddings/") and name.endswith(("pictures.npy", "captions.npy")):
            _, model, kind = name.removesuffix(".npy").split("/")
            array = found.embeddings(model, kind)
            whole = whole.append_column(f"{model} {kind}", pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1]))
    return parquet(whole)


def as_zip(folder) -> bytes:
    """The pictures by their ids and a table `items.csv` with their captions: what can be imported again."""
    found, out = Collection.open(folder), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        rows, table = io.StringIO(), []
        for id, caption, values in zip(found.ids, found.captions, found.fields.astype("string").fillna("").itertuples(index=False), strict=True):
            archive.writestr(f"{id}.webp", found.picture(id))
            table.append([f"{id}.webp", harmless(caption), *map(harmless, values)])
        csv.writer(rows).writerows([["file", "caption", *found.fields.columns], *table])
        archive.writestr("items.csv", rows.getvalue().encode("utf-8-sig"))
    return out.getvalue()
