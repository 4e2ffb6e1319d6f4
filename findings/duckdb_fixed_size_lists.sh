#!/usr/bin/env bash
# DuckDB reads a Parquet column of fixed-size lists as lists of any length, so its functions for vectors refuse it until it is cast.
# Seen with duckdb 2.0.1, pyarrow 26.0.1, numpy 2.4.6 on 2026-11-29. Guessed: a column of type FLOAT[3].
# Seen: FLOAT[], although the file holds the size; array_cosine_similarity needs the cast ::FLOAT[3].
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float32)), 3)
pq.write_table(pa.table({"v": vectors}), "v.parquet")
(column,) = duckdb.sql("describe select * from 'v.parquet'").fetchall()
print(pq.read_table("v.parquet").schema.field("v").type, "is read as", column[1])
assert column[1] == "FLOAT[]"
try:
    duckdb.sql("select array_cosine_similarity(v, v) from 'v.parquet'").fetchall()
    raise SystemExit("it is accepted now")
except duckdb.Error as error:
    print(str(error).splitlines()[0])
print(duckdb.sql("select array_cosine_similarity(v::FLOAT[3], v::FLOAT[3]) from 'v.parquet'").fetchall())
PY
