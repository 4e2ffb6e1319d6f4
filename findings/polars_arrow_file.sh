#!/usr/bin/env bash
# An Arrow file that polars writes holds no stream behind its first eight bytes, as one of pyarrow does: only its footer tells what is in it.
# Seen with polars 2.1.0, pyarrow 26.0.1 on 2026-12-01. Guessed: magic bytes, then the streaming format, as the specification draws it.
# Seen: pyarrow.ipc.open_file reads it, open_stream of what follows the magic bytes says "Invalid flatbuffers message."
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q polars==2.1.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import polars
import pyarrow as pa

said = {"a": [1, 2]}
polars.DataFrame(said).write_ipc("polars.arrow", compression="uncompressed")
with pa.ipc.new_file("pyarrow.arrow", pa.table(said).schema) as file:
    file.write_table(pa.table(said))
for name in ("pyarrow", "polars"):
    data = open(f"{name}.arrow", "rb").read()
    assert data.startswith(b"ARROW1\0\0") and pa.ipc.open_file(f"{name}.arrow").read_all().to_pydict() == said
    try:
        found = pa.ipc.open_stream(data[8:]).read_all().to_pydict() == said
    except (pa.ArrowException, OSError) as error:
        found = error
    print(name, "behind the magic bytes:", found)
    assert (found is True) == (name == "pyarrow")
PY
