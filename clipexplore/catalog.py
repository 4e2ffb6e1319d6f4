"""The one place that names models: what each is, where its weights come from, under which terms, what it can draw.

Separate so that nothing a visitor types can ever choose what is loaded: a page and a link carry a key of this table. An operator
adds entries in the configuration file.
"""

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from clipexplore.errors import InputError
from clipexplore.models.weights import COMMIT, HUB_ID, MOVED, Kind, Weights, read_logit_scale
from clipexplore.settings import settings


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue.

    Attributes
    ----------
    key
        The name in links and in the folders of a collection.
    clip
        What embeds; `dim` is the number of dimensions of its joint image–text space, `tokens` the longest text it reads, start
        and end included, `size` the side in pixels of the square it sees. 0 where only the weights would say.
    draws_prompts, draws_embeddings
        The pipeline that draws token states, and the one that draws vectors of the joint space; None where the model cannot.
    few_steps
        The LoRA with which `draws_prompts` needs four steps instead of fifteen and no guidance.
    """

    key: str
    title: str
    description: str
    clip: Weights
    dim: int = 0
    tokens: int = 0
    size: int = 0
    draws_prompts: Weights | None = None
    draws_embeddings: Weights | None = None
    few_steps: Weights | None = None

    @property
    def licence(self) -> str:
        return ", ".join(dict.fromkeys(part.licence for part in self.parts))

    @property
    def parts(self) -> tuple[Weights, ...]:
        """All weights of the entry, the CLIP first."""
        found = (self.clip, self.draws_prompts, self.draws_embeddings, self.few_steps)
        return tuple(dict.fromkeys(part for part in found if part))

    @property
    def present(self) -> bool:
        """Whether its CLIP is on this machine, so that everything but drawing works."""
        return self.clip.present

    @property
    def clip_folder(self) -> Path:
        """The folder of the CLIP on this machine; it is not looked at."""
        return self.clip.folder

    @cached_property
    def logit_scale(self) -> float:
        """exp of the learned temperature, read from the weights without loading the model: logits = logit_scale × cosine.

        Raises
        ------
        InputError
            If the weights are not on this machine.
        """
        return read_logit_scale(self.clip.require(self.key) / "model.safetensors")


# fmt: off
_OPENRAIL = "Not for anything unlawful or harmful: deceiving, defaming, discriminating, medical advice, law enforcement. Who passes it on passes this on."
_B32 = Weights("clip", "MIT", "openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", parameters=151_277_313, download=608_000_000,
               terms="Not to be deployed without tests in the place of use, and not for surveillance or face recognition, its makers say.")
_L14 = Weights("clip", "MIT", "openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41", parameters=427_616_513, download=1_713_000_000, terms=_B32.terms)
_SD15 = Weights("pipeline", "CreativeML OpenRAIL-M", "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
                parameters=1_370_000_000, download=2_750_000_000, terms=_OPENRAIL)
_UNCLIP = Weights("pipeline", "CreativeML Open RAIL++-M", "sd2-community/stable-diffusion-2-1-unclip-small", parameters=1_600_000_000, download=3_250_000_000, terms=_OPENRAIL)
_LCM = Weights("lora", "CreativeML Open RAIL++-M", "latent-consistency/lcm-lora-sdv1-5", parameters=67_500_000, download=135_000_000, terms=_OPENRAIL)

_EMOJI = Weights("pipeline", "Apache-2.0", path="models/emoji/unclip", parameters=27_300_000)

_MODELS = (
    Model("emoji", "Emoji World", "A small CLIP trained from scratch on drawn scenes of emoji; bundled, needs no GPU and no network.",
          Weights("clip", "Apache-2.0", path="models/emoji/clip", parameters=9_300_000), 512, draws_prompts=_EMOJI, draws_embeddings=_EMOJI),
    Model("clip-b32", "CLIP ViT-B/32 + Stable Diffusion 1.5", "OpenAI's small CLIP, quick enough for a laptop; draws texts.", _B32, 512, 77, 224, draws_prompts=_SD15),
    Model("clip-l14", "CLIP ViT-L/14 + Stable Diffusion 1.5", "OpenAI's large CLIP, whose text tower Stable Diffusion reads with; draws texts, and with unCLIP any point of the space.",
          _L14, 768, 77, 224, draws_prompts=_SD15, draws_embeddings=_UNCLIP),
    Model("fast", "CLIP ViT-L/14 + Stable Diffusion 1.5 in four steps", "As clip-l14, drawing texts in four steps instead of fifteen (a LoRA; needs the package peft; without it, in fifteen).",
          _L14, 768, 77, 224, draws_prompts=_SD15, draws_embeddings=_UNCLIP, few_steps=_LCM),
)
# fmt: on

_PARTS: dict[str, Kind] = {"clip": "clip", "draws_prompts": "pipeline", "draws_embeddings": "pipeline", "few_steps": "lora"}
_KEYS = {"key", "title", "description", "licence", "terms", *_PARTS, *(f"{part}_revision" for part in _PARTS)}


def models() -> dict[str, Model]:
    """All entries by key, the default first, then the other built-in ones, then those of the configuration.

    Raises
    ------
    InputError
        For a mistake in an entry of the configuration.
    """
    return _models(tuple(json.dumps(each, default=str, sort_keys=True) for each in settings().models))


def get(key: str) -> Model:
    """The entry with that key.

    Raises
    ------
    InputError
        For an unknown key; the message lists the known ones.
    """
    known = models()
    if key not in known:
        raise InputError(f"There is no model {key!r}; choose one of: {', '.join(known)}.")
    return known[key]


@cache
def _models(entries: tuple[str, ...]) -> dict[str, Model]:
    found = {model.key: model for model in _MODELS}
    for entry in map(json.loads, entries):
        model = _own_entry(entry)
        if model.key in found:
            raise InputError(f"The configuration has a model {model.key!r} that is there already; give it another key.")
        found[model.key] = model
    return found


def _own_entry(entry: dict) -> Model:
    """The model of one table [[models]] of the configuration."""
    folder = Path(entry.pop("folder"))
    where = f"The model {entry.get('key', '')!r} in the configuration"
    for name, value in entry.items():
        if name not in _KEYS:
            raise InputError(f"{where} has the unknown key {name!r}; known are {', '.join(sorted(_KEYS))}.")
        if not (isinstance(value, str) and value):
            raise InputError(f"{where} says {name} = {value!r}; give a text in quotes.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", entry.get("key", "")):
        raise InputError(f"{where} needs a key of at most 40 small letters, digits and dashes; correct it.")
    if "clip" not in entry:
        raise InputError(f"{where} has no clip; name a folder or a repository.")
    parts = {part: _own_weights(entry, part, folder, where) for part in _PARTS if part in entry}
    title = entry.get("title", entry["key"])
    return Model(entry["key"], title, entry.get("description", title.rstrip(".") + "."), **parts, **_facts(parts["clip"]))


def _own_weights(entry: dict, part: str, folder: Path, where: str) -> Weights:
    given, revision = entry[part], entry.get(f"{part}_revision")
    terms = {"licence": entry.get("licence", "as its makers say"), "terms": entry.get("terms", "")}
    if revision and not COMMIT.fullmatch(revision):
        raise InputError(f"{where} says {part}_revision = {revision!r}; give a commit of 40 hexadecimal digits, or leave it out.")
    if HUB_ID.fullmatch(given):
        return Weights(_PARTS[part], repo=MOVED.get(given, given), revision=revision, **terms)
    found = Weights(_PARTS[part], path=(folder / Path(given).expanduser()).resolve(), **terms)
    if not found.present:
        raise InputError(f"{where} says {part} = {given!r}, and {found.path} does not hold a whole {found.kind} in safetensors; correct it.")
    return found


def _facts(clip: Weights) -> dict[str, int]:
    """What the configuration of a CLIP on this machine says about it."""
    config = clip.folder / "config.json"
    if not config.is_file():
        return {}
    told = json.loads(config.read_bytes())
    return {
        "dim": told.get("projection_dim", 0),
        "tokens": told.get("text_config", {}).get("max_position_embeddings", 77),
        "size": told.get("vision_config", {}).get("image_size", 224),
    }
