"""A drawing carries how it was made: its PNG holds the settings, and a page that is given the PNG has them again.

In the iTXt chunk `clipexplore` stands JSON – the page and the values of its link – and in `parameters` the line that
other programs for drawing read. Reading trusts nothing: only known keys of a page, with values of their type.
"""

import json
from typing import Any

from PIL import Image, PngImagePlugin

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.images import encode, text_in
from clipexplore.language import _

VERSION = 1
MOST_BYTES = 16_384  # of the JSON
KEYWORD = "clipexplore"


def as_png(picture: Image.Image, page: str, values: dict[str, object], **more: object) -> bytes:
    """The picture as a PNG that carries the values of a page's link; `more` is for people and other programs, and not
    read back.
    """
    text = PngImagePlugin.PngInfo()
    text.add_itxt(KEYWORD, json.dumps({"version": VERSION, "page": page, "link": values, **more}, ensure_ascii=False))
    text.add_itxt("parameters", parameters(values, picture.size, **more))
    return encode(picture, "PNG", pnginfo=text)


def parameters(values: dict[str, object], size: tuple[int, int], **more: object) -> str:
    """The settings as AUTOMATIC1111's web interface writes them: what is drawn, and a line of "Name: value, …"."""
    names = {
        "sampler": "Sampler",
        "num_inference_steps": "Steps",
        "guidance_scale": "CFG scale",
        "seed": "Seed",
        "model": "Model",
        "revision": "Model hash",
        "frame": "Frame",
    }
    written = {name: {**values, **more}.get(key) for key, name in names.items()}
    line = ", ".join(f"{name}: {value}" for name, value in written.items() if value is not None)
    prompt = str(values.get("stops") or values.get("q") or "").replace("\n", " → ")
    return f"{prompt}\n{line}, Size: {size[0]}x{size[1]}"


def from_png(data: bytes) -> tuple[str, dict[str, object]]:
    """The page and the values that a PNG carries, checked: keys of that page's link, each of the type of its default.

    Raises
    ------
    InputError
        For anything that is no PNG of ours.
    """
    try:
        stored = json.loads(text := text_in(data, KEYWORD))
        page, values = stored["page"], stored["link"]
        known = links.PAGES[page] | links.ALL
        fits = all(key in known and _fits(value, known[key]) for key, value in values.items())
        whole = fits and stored["version"] == VERSION and len(text) <= MOST_BYTES
    except (ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise InputError(_("This picture carries no settings that can be restored; give a PNG that was saved here."))
    return page, values


def _fits(value: Any, default: object) -> bool:
    if default is None or type(default) in (int, float):
        return value is None and default is None or type(value) in (int, float) and abs(value) < 2**33
    return type(value) is type(default) and len(str(value)) <= MOST_BYTES
