"""What a file takes while it is imported, above what the process took before: of more than fifty kinds, in memory.

One process for each family of kinds has everything imported and forks for each kind, so what is measured is the import
alone.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 300  # megabytes, of any kind

MEASURING = '''
import io, json, os, resource, sys, tarfile, traceback, zipfile
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

sys.path[:0] = ["tests", "."]
from fixtures_imports import Toy, jpeg, take
from clipexplore.errors import InputError
from clipexplore.images import MAX_DECODED, MAX_DECODED_OF, suffixes

root, scale = Path(sys.argv[1]), float(sys.argv[2])
kinds = {}


def kind(make):
    kinds[make.__name__] = make
    return make


def numbers(rows, dim, dtype=np.float32):
    return np.random.default_rng(0).random((rows, dim), np.float32).astype(dtype)


def count(megabytes, each):
    """How many things of so many bytes make up the size."""
    return int(scale * megabytes * 1e6 / each)


def text(path, lines):
    with open(path, "w") as file:
        file.writelines(lines)
    return path


def said(number):
    return f"a thing, number {number}, of which somebody has written down a line of some length"


# Pictures of the most pixels that are decoded, each alone
for ending, format, most in (
    ("jpg", "JPEG", 100_000_000), ("png", "PNG", MAX_DECODED), ("webp", "WEBP", MAX_DECODED_OF["WEBP"]),
    ("gif", "GIF", MAX_DECODED), ("bmp", "BMP", 6_000_000), ("avif", "AVIF", 8_000_000),
    ("tif", "TIFF", 6_000_000), ("jp2", "JPEG2000", MAX_DECODED_OF["JPEG2000"]),
):
    def make(folder, ending=ending, format=format, most=most):
        side = int((most * min(scale, 1)) ** 0.5)
        Image.new("P" if format == "GIF" else "RGB", (side, side)).save(folder / f"p.{ending}", format)
        return folder
    kinds[f"picture_{ending}"] = make


@kind
def picture_png_16_bits(folder):
    side = int((MAX_DECODED * min(scale, 1)) ** 0.5)
    Image.new("I;16", (side, side), 30_000).save(folder / "p.png")
    return folder

@kind
def picture_png_palette(folder):
    side = int((MAX_DECODED * min(scale, 1)) ** 0.5)
    Image.new("P", (side, side)).save(folder / "p.png")
    return folder

@kind
def picture_png_transparent(folder):
    side = int((MAX_DECODED * min(scale, 1)) ** 0.5)
    Image.new("RGBA", (side, side)).save(folder / "p.png")
    return folder

@kind
def picture_png_thin(folder):
    Image.new("RGB", (2, 20_000)).save(folder / "p.png")
    return folder

@kind
def picture_gif_of_many_frames(folder):
    frames = [Image.new("P", (400, 400), number % 250) for number in range(count(2, 20_000))]
    frames[0].save(folder / "p.gif", save_all=True, append_images=frames[1:])
    return folder

@kind
def picture_jpeg_of_cmyk(folder):
    Image.new("CMYK", (4_000, 4_000)).save(folder / "p.jpg")
    return folder


@cache
def some_pictures(number):
    file = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).resize((640, 480)).save(file, "JPEG")
    return file.getvalue()

@kind
def folder_of_pictures(folder):
    for number in range(int(400 * scale)):
        (folder / f"{number}.jpg").write_bytes(some_pictures(number % 20) + bytes([number % 256, number // 256]))
    return folder

@kind
def folder_of_small_files(folder):
    for number in range(int(2_000 * scale)):
        (folder / f"{number}.txt").write_bytes(b"a cat")
    return folder


def zipped(folder, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / "a.zip", "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return folder / "a.zip"

@kind
def zip_of_pictures(folder):
    return zipped(folder, ((f"{n}.jpg", some_pictures(n % 20) + n.to_bytes(2)) for n in range(int(400 * scale))))

@kind
def zip_of_pictures_stored(folder):
    return zipped(folder, ((f"{n}.jpg", some_pictures(n)) for n in range(40)), zipfile.ZIP_STORED)

@kind
def zip_with_a_table(folder):
    rows = "".join(f"{n % 5}.jpg,{said(n)}\\n" for n in range(count(8, 100)))
    return zipped(folder, [*((f"{n}.jpg", jpeg(n)) for n in range(5)), ("c.csv", "file,caption\\n" + rows)])

@kind
def zip_with_metadata_in_parquet(folder):
    table = pa.table({"file_name": [f"{n % 5}.jpg" for n in range(40_000)], "text": [*map(said, range(40_000))]})
    pyarrow.parquet.write_table(table, file := io.BytesIO())
    return zipped(folder, [*((f"{n}.jpg", jpeg(n)) for n in range(5)), ("metadata.parquet", file.getvalue())])

@kind
def zip_with_a_long_list(folder):
    return zipped(folder, ((f"{number}.jpg", b"") for number in range(int(20_000 * scale))))

@kind
def zip_of_zeros(folder):
    return zipped(folder, [("a.bmp", bytes(count(90, 1)))])


@kind
def text_lines(folder):
    return text(folder / "c.txt", (f"{said(n)}\\n" for n in range(count(10, 90))))

@kind
def text_in_utf_16(folder):
    (folder / "c.txt").write_bytes("".join(f"{said(n)}\\n" for n in range(count(5, 180))).encode("utf-16"))
    return folder / "c.txt"

@kind
def text_of_one_line(folder):
    return text(folder / "c.txt", ("x" * 1_000_000 for _ in range(count(20, 1e6))))

@kind
def text_of_empty_lines(folder):
    return text(folder / "c.txt", ("\\n" * 1_000 for _ in range(count(2, 1e3))))

@kind
def csv(folder):
    return text(folder / "c.csv", ["caption,n\\n", *(f'"{said(n)}",{n}\\n' for n in range(count(10, 95)))])

@kind
def csv_without_header(folder):
    return text(folder / "c.csv", (f'"{said(n)}",{n}\\n' for n in range(count(6, 95))))

@kind
def csv_of_many_columns(folder):
    header = "caption," + ",".join(f"c{n}" for n in range(900))
    return text(folder / "c.csv", [f"{header}\\n", *(f"{n}" + ",1" * 900 + "\\n" for n in range(count(4, 1800)))])

@kind
def csv_with_an_open_quote(folder):
    return text(folder / "c.csv", ["caption\\n", '"never closed\\n', *(f"{said(n)}\\n" for n in range(count(8, 90)))])

@kind
def csv_of_long_cells(folder):
    return text(folder / "c.csv", ["caption,note\\n", *(f"{n},{'x' * 100_000}\\n" for n in range(count(20, 1e5)))])

@kind
def tsv(folder):
    return text(folder / "c.tsv", ["caption\\tn\\n", *(f"{said(n)}\\t{n}\\n" for n in range(count(6, 95)))])

@kind
def jsonl(folder):
    return text(folder / "c.jsonl", (json.dumps({"caption": said(n), "n": n}) + "\\n" for n in range(count(8, 110))))

@kind
def jsonl_of_one_list(folder):
    return text(folder / "c.jsonl", ["[", *('{"caption": "a"},' for n in range(count(1.5, 17))), "{}]"])

@kind
def jsonl_of_empty_objects(folder):
    return text(folder / "c.jsonl", ["[", *("{}," for n in range(count(4.5, 3))), "{}]"])


for name, dim, dtype in (
    ("float16", 512, np.float16), ("float32", 512, np.float32), ("float64", 768, np.float64),
    ("wide", 16_384, np.float32),
):
    def make(folder, dim=dim, dtype=dtype):
        np.save(folder / "v.npy", numbers(count(20, dim * np.dtype(dtype).itemsize), dim, dtype))
        return folder / "v.npy"
    kinds[f"npy_{name}"] = make

@kind
def npy_by_column(folder):
    np.save(folder / "v.npy", np.asfortranarray(numbers(count(20, 2048), 512)))
    return folder / "v.npy"

@kind
def npz(folder):
    np.savez(folder / "v.npz", vectors=numbers(count(20, 2048), 512))
    return folder / "v.npz"

@kind
def npz_compressed_with_texts(folder):
    rows = count(10, 2048)
    np.savez_compressed(folder / "v.npz", vectors=numbers(rows, 512), caption=np.array([*map(said, range(rows))]))
    return folder / "v.npz"

@kind
def npz_of_zeros(folder):
    np.savez_compressed(folder / "v.npz", vectors=np.zeros((count(60, 2048), 512), np.float32))
    return folder / "v.npz"

@kind
def npz_with_another_array(folder):
    np.savez_compressed(folder / "v.npz", vectors=numbers(100, 512), other=np.zeros(count(90, 1), np.uint8))
    return folder / "v.npz"


def parquet(folder, **columns):
    pyarrow.parquet.write_table(pa.table(columns), folder / "v.parquet")
    return folder / "v.parquet"


def lists(rows, dim):
    return pa.FixedSizeListArray.from_arrays(numbers(rows, dim).ravel(), dim)

@kind
def parquet_of_vectors(folder):
    return parquet(folder, vectors=lists(count(20, 2048), 512))

@kind
def parquet_with_texts(folder):
    rows = count(10, 2048)
    return parquet(folder, vectors=lists(rows, 512), caption=[*map(said, range(rows))], n=range(rows))

@kind
def parquet_with_one_long_text(folder):
    text = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), ["x" * 100_000])
    return parquet(folder, vectors=lists(20_000, 8), note=text)

@kind
def parquet_of_zeros(folder):
    return parquet(folder, vectors=pa.FixedSizeListArray.from_arrays(np.zeros(count(60, 4), np.float32), 500))

def embedded(number):
    return {"bytes": some_pictures(number % 20) + number.to_bytes(2), "path": f"{number}.jpg"}

@kind
def parquet_with_pictures(folder):
    rows = int(400 * scale)
    return parquet(folder, image=[*map(embedded, range(rows))], text=[*map(said, range(rows))])

@kind
def parquet_with_large_pictures(folder):
    large = np.random.default_rng(0).integers(0, 256, (int(120 * scale), 1_500_000), np.uint8)
    return parquet(folder, jpg=[each.tobytes() for each in large])

@kind
def arrow_with_pictures(folder):
    table = pa.table({"image": [*map(embedded, range(int(400 * scale)))]})
    with pa.ipc.new_stream(folder / "a.arrow", table.schema) as file:
        file.write_table(table)
    return folder / "a.arrow"

@kind
def arrow_compressed(folder):
    table = pa.table({"image": [bytes(1_000_000)] * int(100 * scale)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(folder / "a.arrow", table.schema, options=options) as file:
        file.write_table(table)
    return folder / "a.arrow"


def tarred(folder, files):
    with tarfile.open(folder / "a.tar", "w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / "a.tar"

@kind
def tar_of_pictures(folder):
    return tarred(folder, ((f"{n}.jpg", some_pictures(n % 20) + n.to_bytes(2)) for n in range(int(400 * scale))))

@kind
def tar_with_a_long_list(folder):
    return tarred(folder, ((f"{number}.jpg", b"") for number in range(int(20_000 * scale))))


@kind
def coco(folder):
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(int(20_000 * scale))]
    captions = [{"id": n, "image_id": n % len(images), "caption": said(n)} for n in range(5 * len(images))]
    (folder / "captions.json").write_text(json.dumps({"images": images, "annotations": captions}))
    (folder / "1.jpg").write_bytes(jpeg(1))
    return folder


@kind
def tensorboard(folder):
    rows = numbers(count(8, 9 * 128), 128)
    return text(folder / "tensors.tsv", ("\\t".join(f"{value:.6f}" for value in row) + "\\n" for row in rows))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def in_a_fork(work):
    """What `work` returns, in a process that ends with it."""
    ours, theirs = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(theirs, json.dumps(work()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(theirs)
    assert not os.waitpid(child, 0)[1], "it was killed, or failed as told above"
    return json.loads(os.read(ours, 10_000))


def measured(folder, path):
    before = resident()
    try:
        outcome = str(take(folder / "it", Path(path), most=500))
    except InputError as error:
        outcome = str(error)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024 / 1e3 - before, outcome


Image.new("RGB", (900, 900)).save(file := io.BytesIO(), "WEBP")
(root / "warm").mkdir()
(root / "warm" / "p.webp").write_bytes(file.getvalue())
take(root / "warm it", root / "warm", Toy())
for name in (name for name in kinds if any(fnmatch(name, pattern) for pattern in sys.argv[3:])):
    folder = root / name
    (folder / "in").mkdir(parents=True)
    path = in_a_fork(lambda: str(kinds[name](folder / "in")))
    size = sum(each.stat().st_size for each in (folder / "in").rglob("*")) / 1e6
    above, outcome = in_a_fork(lambda: measured(folder, path))
    print(json.dumps([name, size, above, outcome]), flush=True)
'''


def measure(tmp_path, scale, *patterns):
    """The kinds of such names with the megabytes above idle; prints those of the file and what came of it, too."""
    command = [sys.executable, "-c", MEASURING, str(tmp_path), str(scale), *patterns]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not run.returncode, run.stderr[-3000:]
    found = [json.loads(line) for line in run.stdout.splitlines()]
    for name, size, above, outcome in sorted(found, key=lambda each: -each[2]):
        print(
            f"{name:28} {size:7.2f} MB, {above:6.1f} MB above idle, {above / max(size, 0.01):7.1f} a MB: {outcome[:70]}"
        )
    return {name: above for name, _size, above, _outcome in found}


FAMILIES = {  # how many kinds there are of each
    ("picture_*",): 14,
    ("folder_*", "zip_*"): 8,
    ("text_*", "csv*", "tsv"): 10,
    ("jsonl*",): 3,
    ("npy_*", "npz*"): 9,
    ("parquet_*", "tensorboard"): 7,
    ("arrow_*", "tar_*", "coco"): 5,
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read the way of Linux")
@pytest.mark.parametrize("family", FAMILIES, ids=" ".join)
def test_no_kind_of_file_takes_more_than_300_megabytes(tmp_path, family):
    above = measure(tmp_path, 1, *family)
    assert len(above) == FAMILIES[family] and max(above.values()) <= MOST


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read the way of Linux")
@pytest.mark.parametrize("stream", ["text_lines", "csv", "jsonl", "npy_float32", "npz", "parquet_of_vectors"])
def test_what_is_eight_times_as_large_takes_no_more(tmp_path, stream):
    """Of what is read as a stream: memory does not grow with the file."""
    above = measure(tmp_path, 8, stream)
    assert above[stream] <= MOST
