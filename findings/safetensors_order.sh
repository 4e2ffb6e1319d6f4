#!/usr/bin/env bash
# A safetensors file does not keep the order in which tensors were given.
# Seen with safetensors 0.8.0, numpy 2.4.6 on 2026-11-29. Guessed: the order of saving, as of a dictionary.
# Seen: tensors come back by the size of their type, the widest first, and by name within it.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import load_file, save_file

types = {"z": "f2", "b": "f4", "a": "f4", "c": "i8"}
save_file({name: np.ones(2, type) for name, type in types.items()}, "x.safetensors")
print("saved ", list(types))
print("loaded", list(load_file("x.safetensors")))
assert list(load_file("x.safetensors")) == ["c", "a", "b", "z"]
PY
