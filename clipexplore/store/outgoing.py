"""A collection in the forms that other tools read, each a folder of files.

Every form has ids, captions and fields; most have the pictures, those of vectors have these as float32. Sources: the
documentation of each tool, named at its function; `tests/store/test_outgoing.py` reads all of them back.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import InputError, no_room
from clipexplore.images import contact_sheet, encode, open_picture
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.store.collection import Collection
from clipexplore.store.export import harmless, npy_file
from clipexplore.store.items import Kind

if TYPE_CHECKING:
    import pyarrow as pa

GROUP, SHARD = 100, 1_000  # items that are written together, and in one tar
COLUMNS: dict[Kind, str] = {"pictures": "image_vectors", "captions": "text_vectors"}
_SPRITE, _SIDE = 8_192, 32  # pixels: the longest side of a sprite that TensorBoard shows, and of a picture in it


@dataclass(frozen=True)
class _Outgoing:
    """A collection on its way out, with what one model made of it."""

    collection: Collection
    model: str
    folder: Path
    report: Report

    @property
    def pictures(self) -> bool:
        return self.collection.has_files

    @property
    def kinds(self) -> list[Kind]:
        return self.collection.embedded(self.model) if self.model in self.collection.models else []

    def vectors(self, kind: Kind) -> np.ndarray:
        return self.collection.embeddings(self.model, kind)

    def own_vectors(self) -> np.ndarray:
        """Those of the pictures, else those of the captions.

        Raises
        ------
        MissingError
            If the model has made none.
        """
        kinds = self.kinds
        return self.vectors("pictures" if "pictures" in kinds else "captions")

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The id of each item, and its caption and fields by their names, None where one has none."""
        fields = self.collection.fields.astype(object)
        names = [str(name) for name in fields.columns]
        values = fields.where(fields.notna(), None).itertuples(index=False, name=None)
        every = zip(self.collection.ids, self.collection.captions, values, strict=True)
        for number, (id, caption, row) in enumerate(every):
            if number % GROUP == 0:
                self.report(number / len(self.collection), _("Writing {name}").format(name=id))
            yield id, {"caption": caption, **dict(zip(names, row, strict=True))}

    def write_pictures(self, folder: str) -> None:
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        for id in self.collection.ids:
            (self.folder / folder / f"{id}.webp").write_bytes(self.collection.picture(id))


def huggingface(out: _Outgoing) -> None:
    """One Parquet file with pictures inside, as `push_to_hub` writes it: huggingface.co/docs/datasets, "Image"."""
    path = out.folder / "data" / "train-00000-of-00001.parquet"
    _write_parquet(out, path, {COLUMNS[kind]: out.vectors(kind) for kind in out.kinds})


def embedding_atlas(out: _Outgoing) -> None:
    """A table with the vectors and the map: apple.github.io/embedding-atlas, "Command Line Utility".

    `embedding-atlas dataset.parquet --text caption --image image --x projection_x --y projection_y` opens it.
    """
    vectors = out.own_vectors()
    x, y = _places(out, vectors).T
    _write_parquet(out, out.folder / "dataset.parquet", {"vector": vectors, "projection_x": x, "projection_y": y})


def webdataset(out: _Outgoing) -> None:
    """Tars of 1,000 items: a picture, caption as text, fields as JSON, vectors as NPY: webdataset.github.io."""
    _check_pictures(out)
    vectors = {COLUMNS[kind]: out.vectors(kind) for kind in out.kinds}
    archive: tarfile.TarFile | None = None
    for number, (id, row) in enumerate(out.rows()):
        if number % SHARD == 0:
            if archive:
                archive.close()
            archive = tarfile.open(out.folder / f"{number // SHARD:05d}.tar", "w")  # noqa: SIM115
        assert archive
        key = id.replace(".", "_")
        fields = {"id": id, **{name: value for name, value in row.items() if value is not None}}
        files = {"webp": out.collection.picture(id), "txt": row["caption"].encode()}
        files["json"] = json.dumps(fields, ensure_ascii=False, default=_plain).encode()
        files |= {f"{name}.npy": npy_file(array[number]) for name, array in vectors.items()}
        for ending, data in files.items():
            entry = tarfile.TarInfo(f"{key}.{ending}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    if archive:
        archive.close()


def tensorboard(out: _Outgoing) -> None:
    """The projector's files: tensorflow.org/tensorboard/tensorboard_projector_plugin."""
    vectors, place = out.own_vectors(), out.folder / "00000" / "default"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "tensors.tsv", "w", encoding="utf-8") as file:
        for row in vectors:
            file.write("\t".join(f"{value:.7g}" for value in row) + "\n")
    with open(place / "metadata.tsv", "w", encoding="utf-8", newline="") as file:
        names = ["id", "caption", *map(str, out.collection.fields.columns)]
        file.write("\t".join(map(_cell, names)) + "\n")
        for id, row in out.rows():
            file.write("\t".join(map(_cell, [id, *row.values()])) + "\n")
    across = int(np.ceil(np.sqrt(len(vectors))))
    config = 'tensor_name: "default:00000"\n  tensor_path: "00000/default/tensors.tsv"\n'
    config += '  metadata_path: "00000/default/metadata.tsv"\n'
    if out.pictures and across * _SIDE <= _SPRITE:
        small = [open_picture(out.collection.picture(id)) for id in out.collection.ids]
        (place / "sprite.png").write_bytes(encode(contact_sheet(small, _SIDE, across), "PNG"))
        config += f'  sprite {{\n    image_path: "00000/default/sprite.png"\n    single_image_dim: {_SIDE}\n'
        config += f"    single_image_dim: {_SIDE}\n  }}\n"
    (out.folder / "projector_config.pbtxt").write_text(f"embeddings {{\n  {config}}}\n", encoding="utf-8")


def fiftyone(out: _Outgoing) -> None:
    """A folder that FiftyOne imports as `fiftyone.types.CSVDataset`: docs.voxel51.com, "Importing datasets"."""
    _check_pictures(out)
    out.write_pictures("data")
    rows = ({"filepath": f"{id}.webp", "id_here": id, **row} for id, row in out.rows())
    _write_csv(out.folder / "labels.csv", rows, str)


def pictures_and_csv(out: _Outgoing) -> None:
    """The pictures and a table of them, for spreadsheets, and for `datasets`, which calls it an imagefolder."""
    if not out.pictures:
        _write_csv(out.folder / "captions.csv", ({"id": id, **row} for id, row in out.rows()), harmless)
        return
    out.write_pictures("pictures")
    rows = ({"file_name": f"pictures/{id}.webp", "id": id, **row} for id, row in out.rows())
    _write_csv(out.folder / "metadata.csv", rows, harmless)


def npz(out: _Outgoing) -> None:
    """Arrays for NumPy: ids, captions, and the vectors of pictures and of texts."""
    arrays = {COLUMNS[kind]: out.vectors(kind) for kind in out.kinds} or {"vectors": out.own_vectors()}
    texts = {"id": np.array(out.collection.ids), "caption": np.array(out.collection.captions)}
    np.savez(out.folder / "vectors.npz", allow_pickle=False, **texts, **arrays)


FORMS: dict[str, Callable[[_Outgoing], None]] = {
    "huggingface": huggingface,
    "webdataset": webdataset,
    "embedding-atlas": embedding_atlas,
    "tensorboard": tensorboard,
    "fiftyone": fiftyone,
    "csv": pictures_and_csv,
    "npz": npz,
}


_OF_PICTURES, _OF_VECTORS = ("webdataset", "fiftyone"), ("embedding-atlas", "tensorboard", "npz")


def forms_for(pictures: bool, vectors: bool) -> list[str]:
    """The forms that a collection can take that has pictures, or vectors, or not."""
    return [form for form in FORMS if (pictures or form not in _OF_PICTURES) and (vectors or form not in _OF_VECTORS)]


def export(collection: Collection, form: str, folder: Path, model: str, report: Report = silent) -> None:
    """Writes a collection into a new folder, in one of `FORMS`, with the vectors that a model made of it.

    Raises
    ------
    InputError
        If there is something in the folder, the form needs pictures and there are none, or it needs vectors and the
        model has made none.
    NoRoomError
        If the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            message = _("There is something in {folder!r}; name a new folder.")
            raise InputError(message.format(folder=str(folder)))
        FORMS[form](_Outgoing(collection, model, folder, report))
    except OSError as error:
        raise no_room(folder, error) from error
    report(1.0, _("Written to {folder}").format(folder=folder))


def zipped(folder: Path, form: str, model: str) -> bytes:
    """The collection of a folder in one of `FORMS`, as one ZIP.

    Raises
    ------
    InputError
        As `export`.
    """
    data = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        export(Collection.open(folder), form, Path(place) / form, model)
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in Path(place).rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(place).as_posix())
    return data.getvalue()


def _check_pictures(out: _Outgoing) -> None:
    if not out.pictures:
        message = _("{title} holds texts only, and this form is of pictures; choose another.")
        raise InputError(message.format(title=out.collection.title))


def _places(out: _Outgoing, vectors: np.ndarray) -> np.ndarray:
    """The map of the items, `(n, 2)`: the stored one, else their two principal components."""
    from clipexplore.maps.pca import pca

    stored = out.collection.map_of(out.model, "umap")
    if stored is not None:
        return np.asarray(stored)
    return pca(vectors).transform(vectors) if len(vectors) > 1 else np.zeros((len(vectors), 2), np.float32)


def _write_parquet(out: _Outgoing, path: Path, more: dict[str, np.ndarray]) -> None:
    """A table of all items with further columns, a group of rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    fields = pa.Table.from_pandas(out.collection.fields, preserve_index=False).replace_schema_metadata()
    plain = {
        "id": pa.string(),
        "caption": pa.string(),
        **dict(zip(fields.schema.names, fields.schema.types, strict=True)),
    }
    lists = {name: pa.list_(pa.float32(), each.shape[1]) for name, each in more.items() if each.ndim == 2}
    numbers = {name: pa.float32() for name in more if name not in lists}
    picture = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})} if out.pictures else {}
    schema = pa.schema({**picture, **plain, **numbers, **lists}, _features(picture, {**plain, **numbers}, more))
    path.parent.mkdir(parents=True, exist_ok=True)
    with parquet.ParquetWriter(path, schema) as writer:
        rows = [*out.rows()]
        for start in range(0, len(rows), GROUP):
            some = rows[start : start + GROUP]
            columns = [_picture_column(out, some)] if picture else []
            columns += [pa.array([id for id, _row in some], pa.string())]
            columns += [pa.array([row["caption"] for _id, row in some], pa.string())]
            columns += [fields[name].slice(start, len(some)).combine_chunks() for name in fields.schema.names]
            columns += [pa.array(more[name][start : start + GROUP], pa.float32()) for name in numbers]
            columns += [_list_column(more[name][start : start + GROUP]) for name in lists]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _picture_column(out: _Outgoing, some: list[tuple[str, dict]]) -> pa.Array:
    import pyarrow as pa

    pictures = [{"bytes": out.collection.picture(id), "path": f"{id}.webp"} for id, _row in some]
    return pa.array(pictures, pa.struct({"bytes": pa.binary(), "path": pa.string()}))


def _list_column(block: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(block, np.float32).ravel(), block.shape[1])


def _features(picture: dict, plain: dict, more: dict[str, np.ndarray]) -> dict[str, str]:
    """What `datasets` wants to know of the columns, in the metadata of the schema."""
    said: dict[str, Any] = {name: {"_type": "Image"} for name in picture}
    said |= {name: {"dtype": _dtype(kind), "_type": "Value"} for name, kind in plain.items()}
    said |= {
        name: {"feature": {"dtype": "float32", "_type": "Value"}, "length": each.shape[1], "_type": "Sequence"}
        for name, each in more.items()
        if each.ndim == 2
    }
    return {"huggingface": json.dumps({"info": {"features": said}})}


def _dtype(kind: object) -> str:
    """The name that `datasets` has for a type of Arrow."""
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


def _write_csv(path: Path, rows: Iterator[dict[str, Any]], text: Callable[[str], str]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows):
            if not number:
                writer.writerow(row)
            writer.writerow([text(str(value)) if value is not None else "" for value in row.values()])


def _cell(value: object) -> str:
    """A cell of a TSV, which has no quotes: in one line."""
    return "" if value is None else " ".join(str(value).split())


def _plain(value: object) -> object:
    """A scalar of NumPy for JSON."""
    return value.item() if isinstance(value, np.generic) else str(value)
