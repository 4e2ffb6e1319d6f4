#!/usr/bin/env bash
# Pillow merges equal neighbouring frames of an animated WebP and PNG too; a film that stands still has one frame and no duration.
# Seen with pillow 13.0.0, numpy 2.4.6 on 2026-11-29. Guessed: only GIF merges frames; WebP and PNG keep all five.
# Seen: A A A B B becomes two frames of 300 and 200 ms; A A A A A one frame without a duration (None or 0), while AVIF keeps five.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from io import BytesIO

import numpy as np
from PIL import Image

a, b = (Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)) for seed in (0, 1))


def durations(frames, format):
    file = BytesIO()
    frames[0].save(file, format, save_all=True, append_images=frames[1:], duration=100)
    film, found = Image.open(BytesIO(file.getvalue())), []
    for number in range(getattr(film, "n_frames", 1)):
        film.seek(number)
        film.load()
        found.append(film.info.get("duration"))
    return found


for format in ("WEBP", "PNG", "AVIF"):
    moving, still = durations([a, a, a, b, b], format), durations([a] * 5, format)
    print(format, "A A A B B:", moving, " A A A A A:", still)
    if format == "AVIF":
        assert len(moving) == len(still) == 5
    else:
        assert moving == [300, 200] and len(still) == 1 and not still[0]
PY
