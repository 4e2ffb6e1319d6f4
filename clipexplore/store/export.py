"""A collection as other programs read it: as one file, or in the form of a tool.

Every form is a folder of files with ids, captions and fields; most have the pictures, those of vectors have these as
float32. Sources: the documentation of each tool, named at its function; `tests/store/test_export.py` reads all of them
back.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from clipexplore.errors import InputError, no_room
from clipexplore.images import contact_sheet, encode, open_picture
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.entries import Kind, groups
from clipexplore.store.collection import Collection
from clipexplore.tables import csv_file, harmless, npy_file

GROUP, TEXTS, SHARD = 100, 10_000, 1_000  # items written together with pictures and without, and in one tar
COLUMNS: dict[Kind, str] = {"pictures": "image_vectors", "captions": "text_vectors"}
_OF_FIFTYONE = ("id", "filepath", "tags", "metadata", "media_type", "created_at", "last_modified_at")  # its own fields
_SPRITE, _SIDE = 8_192, 32  # pixels: the longest side of a sprite that TensorBoard shows, and of a picture in it


def as_csv(collection: Collection) -> bytes:
    """Id, caption and fields of the items."""
    return Outgoing(collection, collection.ids).table({"id": "{}"}, encoding="utf-8-sig")


def as_npy(collection: Collection, model: str) -> bytes:
    """The embeddings `(n, dim)` of the pictures, or of the captions where there are none, in the order of the CSV."""
    return npy_file(Outgoing(collection, collection.ids, model).own_vectors())


def as_parquet(collection: Collection) -> bytes:
    """Id, caption, fields, and a column of embeddings for each model and kind."""
    data = io.BytesIO()
    vectors = {
        f"{model} {kind}": collection.embeddings(model, kind)
        for model in sorted(collection.models)
        for kind in sorted(collection.embedded(model), reverse=True)  # pictures first: none of them lacks a vector
    }
    Outgoing(collection, collection.ids).write_parquet(data, vectors, pictures=False)
    return data.getvalue()


def as_zip(collection: Collection, ids: Sequence[str] | None = None) -> bytes:
    """The pictures of items, by default of all, by their ids, and a table `items.csv` of captions and fields: what
    can be imported again.
    """
    some, out = Outgoing(collection, collection.ids if ids is None else ids), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for id in some.ids:
            archive.writestr(f"{id}.webp", collection.picture(id))
        archive.writestr("items.csv", some.table({"file": "{}.webp"}, encoding="utf-8-sig"))
    return out.getvalue()


@dataclass(frozen=True)
class Outgoing:
    """Items of a collection on their way out, with what one model made of them."""

    collection: Collection
    ids: Sequence[str]
    model: str = ""
    report: Report = silent

    def vectors(self) -> dict[str, np.ndarray]:
        """Those of each kind that the model has embedded, by the names of their columns."""
        kinds = self.collection.embedded(self.model) if self.model in self.collection.models else []
        return {COLUMNS[kind]: self.of_them(self.collection.embeddings(self.model, kind)) for kind in kinds}

    def own_vectors(self) -> np.ndarray:
        """Those of the pictures, else those of the captions; raises a MissingError if the model has made none."""
        kind: Kind = "pictures" if "pictures" in self.collection.embedded(self.model) else "captions"
        return self.of_them(self.collection.embeddings(self.model, kind))

    def places(self) -> np.ndarray:
        """Their places on the map of all items, `(n, 2)`: the stored one, else their two principal components."""
        from clipexplore.maps.pca import pca

        if (stored := self.collection.coordinates(self.model, "umap")) is not None:
            return self.of_them(np.asarray(stored))
        every = replace(self, ids=self.collection.ids).own_vectors()
        return self.of_them(pca(every).transform(every) if len(every) > 1 else np.zeros((len(every), 2), np.float32))

    def of_them(self, array: np.ndarray) -> np.ndarray:
        """The rows of the items in an array that has one for each of the collection."""
        whole = self.ids is self.collection.ids
        return array if whole else array[[self.collection.row(id) for id in self.ids]]

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The id of each item, and caption and fields by their names, None where it has none."""
        fields = self.collection.fields.iloc[[self.collection.row(id) for id in self.ids]].astype(object)
        values = fields.where(fields.notna(), None).itertuples(index=False, name=None)
        names = [str(name) for name in fields.columns]
        for number, (id, row) in enumerate(zip(self.ids, values, strict=True)):
            if number % GROUP == 0:
                self.report(number / len(self.ids), _("Writing {name}").format(name=id))
            caption = self.collection.captions[self.collection.row(id)]
            yield id, {"caption": caption, **dict(zip(names, row, strict=True))}

    def table(
        self,
        called: Mapping[str, str],
        text: Callable[[str], str] = harmless,
        field: Callable[[str], str] = str,
        taken: Iterable[str] = (),
        encoding: str = "utf-8",
    ) -> bytes:
        """A CSV: columns that the ids are written to in these ways, captions and fields, none called as one `taken`."""
        fields = _apart(map(str, self.collection.fields.columns), {*called, "caption", *taken}, field)
        header = [*called, "caption", *fields.values()]
        rows = ([*(way.format(id) for way in called.values()), *row.values()] for id, row in self.rows())
        return csv_file(header, (["" if cell is None else text(str(cell)) for cell in row] for row in rows), encoding)

    def write_pictures(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for id, _row in self.rows():
            (folder / f"{id}.webp").write_bytes(self.collection.picture(id))

    def write_parquet(self, to: Path | IO[bytes], more: Mapping[str, np.ndarray], pictures: bool) -> None:
        """A table of items with further columns of numbers or vectors, a group of rows at a time."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        rows = [self.collection.row(id) for id in self.ids]
        fields = pa.Table.from_pandas(self.collection.fields.iloc[rows], preserve_index=False).replace_schema_metadata()
        texts = {"id": self.ids, "caption": [self.collection.captions[row] for row in rows]}
        columns = {name: pa.chunked_array([pa.array(each, pa.string())]) for name, each in texts.items()}
        names = _apart(fields.column_names, {*columns, *more, "image"})
        columns |= dict(zip(names.values(), fields.columns, strict=True))
        numbers = {
            name: pa.chunked_array([pa.array(each, pa.float32())]) for name, each in more.items() if each.ndim == 1
        }
        lists = {name: pa.list_(pa.float32(), each.shape[1]) for name, each in more.items() if each.ndim == 2}
        plain = {name: each.type for name, each in (columns | numbers).items()}
        picture = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})} if pictures else {}
        size = GROUP if pictures else TEXTS
        schema = pa.schema({**picture, **plain, **lists}, _features(picture, plain, lists))
        with parquet.ParquetWriter(to, schema) as file:
            for start in range(0, len(self.ids), size):
                some = self.ids[start : start + size]
                self.report(start / len(self.ids), _("Writing {name}").format(name=some[0]))
                shown = ({"bytes": self.collection.picture(id), "path": f"{id}.webp"} for id in some)
                row = [pa.array(shown, kind) for kind in picture.values()]
                row += [each.slice(start, size).combine_chunks() for each in (columns | numbers).values()]
                blocks = ((kind, np.float32(more[name][start : start + size])) for name, kind in lists.items())
                row += [pa.FixedSizeListArray.from_arrays(block.ravel(), type=kind) for kind, block in blocks]
                file.write_table(pa.Table.from_arrays(row, schema=schema))


def _apart(names: Iterable[str], taken: Iterable[str], called: Callable[[str], str] = str) -> dict[str, str]:
    """What to call each of some names, so that none is as another or as one that is taken."""
    found, used = dict[str, str](), set(taken)
    for name in names:
        other = called(name)
        while other in used:
            other += "_"
        found[name] = other
        used.add(other)
    return found


def huggingface(out: Outgoing, folder: Path) -> None:
    """One Parquet file with pictures inside, as `push_to_hub` writes it: huggingface.co/docs/datasets, "Image"."""
    path = folder / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    out.write_parquet(path, out.vectors(), out.collection.has_files)


def embedding_atlas(out: Outgoing, folder: Path) -> None:
    """A table with the vectors and the map: apple.github.io/embedding-atlas, "Command Line Utility".

    `embedding-atlas dataset.parquet --text caption --image image --x projection_x --y projection_y` opens it.
    """
    x, y = out.places().T
    columns = {"vector": out.own_vectors(), "projection_x": x, "projection_y": y}
    out.write_parquet(folder / "dataset.parquet", columns, out.collection.has_files)


def webdataset(out: Outgoing, folder: Path) -> None:
    """Tars of 1,000 items: a picture, caption as text, fields as JSON, vectors as NPY: webdataset.github.io."""
    vectors, keys = out.vectors(), _apart(out.ids, (), lambda id: id.replace(".", "_"))
    for shard, rows in enumerate(groups(out.rows(), SHARD)):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as archive:
            for number, (id, row) in enumerate(rows, shard * SHARD):
                fields = {"id": id, **{name: value for name, value in row.items() if value is not None}}
                files = {"webp": out.collection.picture(id), "txt": row["caption"].encode()}
                files["json"] = json.dumps(fields, ensure_ascii=False, default=str).encode()
                files |= {f"{name}.npy": npy_file(array[number]) for name, array in vectors.items()}
                for ending, data in files.items():
                    entry = tarfile.TarInfo(f"{keys[id]}.{ending}")
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))


def tensorboard(out: Outgoing, folder: Path) -> None:
    """The projector's files: tensorflow.org/tensorboard/tensorboard_projector_plugin."""
    vectors, place = out.own_vectors(), folder / "00000" / "default"
    place.mkdir(parents=True)
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
    if out.collection.has_files and across * _SIDE <= _SPRITE:
        small = [open_picture(out.collection.picture(id)) for id in out.ids]
        (place / "sprite.png").write_bytes(encode(contact_sheet(small, _SIDE, across), "PNG"))
        config += f'  sprite {{\n    image_path: "00000/default/sprite.png"\n    single_image_dim: {_SIDE}\n'
        config += f"    single_image_dim: {_SIDE}\n  }}\n"
    (folder / "projector_config.pbtxt").write_text(f"embeddings {{\n  {config}}}\n", encoding="utf-8")


def fiftyone(out: Outgoing, folder: Path) -> None:
    """A folder that FiftyOne imports as `fiftyone.types.CSVDataset`: docs.voxel51.com, "Importing datasets"."""

    def called(field: str) -> str:
        return re.sub(r"[.$]", "_", field).lstrip("_") or "field"

    out.write_pictures(folder / "data")
    table = out.table({"filepath": "{}.webp", "id_here": "{}"}, str, called, _OF_FIFTYONE)
    (folder / "labels.csv").write_bytes(table)


def pictures_and_csv(out: Outgoing, folder: Path) -> None:
    """The pictures and a table of them, for spreadsheets, and for `datasets`, which calls it an imagefolder."""
    if not out.collection.has_files:
        (folder / "captions.csv").write_bytes(out.table({"id": "{}"}))
        return
    out.write_pictures(folder / "pictures")
    (folder / "metadata.csv").write_bytes(out.table({"file_name": "pictures/{}.webp", "id": "{}"}))


def npz(out: Outgoing, folder: Path) -> None:
    """Arrays for NumPy: ids, captions, and the vectors of pictures and of texts."""
    captions = [row["caption"] for _id, row in out.rows()]
    texts = {"id": np.array(out.ids), "caption": np.array(captions)}
    np.savez(folder / "vectors.npz", allow_pickle=False, **texts, **out.vectors())


#: The forms, and what a collection must have to take each: pictures, vectors, or neither.
FORMS: dict[str, tuple[Callable[[Outgoing, Path], None], str]] = {
    "huggingface": (huggingface, ""),
    "webdataset": (webdataset, "pictures"),
    "embedding-atlas": (embedding_atlas, "vectors"),
    "tensorboard": (tensorboard, "vectors"),
    "fiftyone": (fiftyone, "pictures"),
    "csv": (pictures_and_csv, ""),
    "npz": (npz, "vectors"),
}


def forms_for(pictures: bool, model: str) -> list[str]:
    """The forms that a collection can take that has pictures or not, and vectors of a model or, "", of none."""
    has = {"": True, "pictures": pictures, "vectors": bool(model)}
    return [form for form, (_write, needs) in FORMS.items() if has[needs]]


def export(
    collection: Collection,
    form: str,
    folder: Path,
    model: str,
    report: Report = silent,
    ids: Sequence[str] | None = None,
) -> None:
    """Writes a collection into a new folder, in one of `FORMS`, with the vectors that a model made of it.

    Parameters
    ----------
    ids
        The items that are written, in this order; by default all.

    Raises
    ------
    InputError
        If there is something in the folder, the form needs pictures and there are none, or it needs vectors and the
        model has made none.
    NoRoomError
        If the disk refuses.
    """
    write, needs = FORMS[form]
    out = Outgoing(collection, collection.ids if ids is None else ids, model, report)
    if needs == "pictures" and not collection.has_files:
        message = _("{title} holds texts only, and this form is of pictures; choose another.")
        raise InputError(message.format(title=collection.title))
    if needs == "vectors":
        out.own_vectors()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            message = _("There is something in {folder!r}; name a new folder.")
            raise InputError(message.format(folder=str(folder)))
        write(out, folder)
    except OSError as error:
        raise no_room(folder, error) from error
    report(1.0, _("Written to {folder}").format(folder=folder))


def zipped(collection: Collection, form: str, model: str, ids: Sequence[str] | None = None) -> bytes:
    """A collection, or some of its items, in one of `FORMS`, as one ZIP.

    Raises
    ------
    InputError
        As `export`.
    """
    data = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        export(collection, form, Path(place) / form, model, ids=ids)
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in Path(place).rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(place).as_posix())
    return data.getvalue()


def _features(picture: Mapping, plain: Mapping, lists: Mapping) -> dict[str, str]:
    """What `datasets` wants to know of the columns, in the metadata of the schema."""
    said: dict[str, Any] = {name: {"_type": "Image"} for name in picture}
    dtypes = {"double": "float64", "float": "float32"}  # what it calls types of Arrow otherwise
    said |= {name: {"dtype": dtypes.get(str(kind), str(kind)), "_type": "Value"} for name, kind in plain.items()}
    number = {"dtype": "float32", "_type": "Value"}
    said |= {name: {"feature": number, "length": kind.list_size, "_type": "Sequence"} for name, kind in lists.items()}
    return {"huggingface": json.dumps({"info": {"features": said}})}


def _cell(value: object) -> str:
    """A cell of a TSV, which has no quotes: in one line."""
    return "" if value is None else " ".join(str(value).split())
