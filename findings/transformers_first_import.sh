#!/usr/bin/env bash
# Two threads must not import from transformers or diffusers for the first time at once.
# Seen with transformers 5.24.0, diffusers 0.42.1, CPython 3.11.7 on 2026-11-30. Guessed: the second thread waits for
# the import lock and then finds the names, as with any package.
# Seen: it waits, and then `from transformers import CLIPConfig` is an ImportError. At the end of its import the package
# puts a lazy module in its own place in sys.modules; the thread that waited looks for its names in the module before.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.24.0 diffusers==0.42.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import importlib
import sys
import threading

NAMES = {"transformers": "CLIPConfig", "diffusers": "DDPMScheduler"}
failed = {}


def second(package):
    while package not in sys.modules:
        pass
    try:
        exec(f"from {package} import {NAMES[package]}", {})
    except ImportError as error:
        failed[package] = str(error).partition(" (")[0]


for package in NAMES:
    threads = [threading.Thread(target=second, args=[package]), threading.Thread(target=importlib.import_module, args=[package])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    exec(f"from {package} import {NAMES[package]}", {})  # a moment later it is there
print(failed)
assert failed == {package: f"cannot import name {name!r} from {package!r}" for package, name in NAMES.items()}
PY
