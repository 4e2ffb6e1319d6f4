"""The frames of a walk as one file: GIF, animated WebP, MP4, a strip, or a ZIP of all pictures with their recipe."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from clipexplore.errors import MissingError
from clipexplore.images import contact_sheet, encode
from clipexplore.language import _

COLOURS = 256
RATE = 10  # frames a second


def gif(pictures: list[Image.Image]) -> bytes:
    """An endless GIF.

    Each frame gets its own colours first, which is thirty times as quick as leaving it to the writer.
    """
    indexed = [picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for picture in pictures]
    return encode(indexed[0], "GIF", save_all=True, append_images=indexed[1:], duration=1000 // RATE, loop=0)


def webp(pictures: list[Image.Image]) -> bytes:
    """An endless animated WebP."""
    return encode(
        pictures[0],
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=1000 // RATE,
        loop=0,
        quality=90,
    )


def mp4(pictures: list[Image.Image]) -> bytes:
    """An H.264 film, which plays while it loads.

    Raises
    ------
    MissingError
        Where PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingError(
            _(
                "Films need the package av, which this server does not have; install it (pip install av), or take GIF "
                "or WebP."
            )
        ) from error
    with TemporaryDirectory() as folder:  # the index can be moved to the front only in a file
        path = Path(folder) / "walk.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as film:
            stream = film.add_stream("libx264", rate=RATE)
            stream.width, stream.height = (side // 2 * 2 for side in pictures[0].size)  # it takes even sides only
            stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
            for picture in pictures:
                film.mux(
                    stream.encode(
                        av.VideoFrame.from_ndarray(np.asarray(picture.crop((0, 0, stream.width, stream.height))))
                    )
                )
            film.mux(stream.encode())
        return path.read_bytes()


def strip(pictures: list[Image.Image]) -> Image.Image:
    """All frames side by side."""
    return contact_sheet(pictures, pictures[0].width, columns=len(pictures))


def archive(pngs: list[bytes], recipe: dict[str, object]) -> bytes:
    """A ZIP of PNG files, numbered from 1, and `recipe.json`."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number, png in enumerate(pngs, 1):
            file.writestr(f"frame-{number:03d}.png", png)
        file.writestr("recipe.json", json.dumps(recipe, indent=1, ensure_ascii=False))
    return out.getvalue()
