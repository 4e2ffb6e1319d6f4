"""The one place that names models: what each is, where its weights come from, under which terms, what it can draw.

Nothing a visitor types chooses what is loaded: a page and a link carry a key of this table. `catalog.toml` holds the
models that are shipped; an operator adds entries in the configuration file.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from clipexplore.errors import InputError, MissingError
from clipexplore.language import _
from clipexplore.models.families import Family, Probability, Scale, family_of, read_scale
from clipexplore.models.weights import COMMIT, HUB_ID, MOVED, Weights, WeightsKind, models_folder
from clipexplore.settings import settings

DrawnFrom = Literal["joint", "tokens"]  # points of the joint space, or token states
UNNAMED = "unnamed"  # the key of whatever made the vectors that a collection brings, where nobody says what it was


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue.

    Attributes
    ----------
    key
        The name in links and in the folders of a collection.
    clip
        What embeds; `dim` is the number of dimensions of its joint image–text space, `tokens` the longest text it
        reads, start and end included, `size` the side in pixels of the square it sees. 0 where only the weights would
        say.
    probability
        How its probabilities are to be read, as `Family.probability`, where its weights are not here to say so.
    draws_prompts, draws_embeddings
        The pipeline that draws token states, and the one that draws vectors of the joint space; None where the model
        cannot.
    adapts
        The pipeline that `draws_embeddings` is an IP-Adapter for; None where it draws by itself.
    prior
        What imagines the embedding of a picture for a text, in place of a step across the gap.
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
    probability: Probability = "softmax"
    draws_prompts: Weights | None = None
    draws_embeddings: Weights | None = None
    adapts: Weights | None = None
    prior: Weights | None = None
    few_steps: Weights | None = None

    @property
    def licence(self) -> str:
        return ", ".join(dict.fromkeys(part.terms_of_use for part in self.parts))

    @property
    def parts(self) -> tuple[Weights, ...]:
        """All weights of the entry, the CLIP first."""
        parts = (self.clip, self.draws_prompts, self.adapts, self.draws_embeddings, self.prior, self.few_steps)
        return tuple(dict.fromkeys(part for part in parts if part))

    @property
    def present(self) -> bool:
        """Whether its CLIP is on this machine, so that everything but drawing works."""
        return self.clip.present

    def drawn_by(self, kind: DrawnFrom) -> Weights | None:
        """What draws points or token states, on this machine or not; of an adapter and what it adapts, that which is
        missing.
        """
        if kind == "tokens":
            return self.draws_prompts
        lacking = (part for part in (self.adapts, self.draws_embeddings) if part and not part.present)
        return next(lacking, self.draws_embeddings)

    def require(self) -> Path:
        """The folder of its CLIP.

        Raises
        ------
        MissingError
            If it is not on this machine; the message says how it comes here.
        """
        if self.key == UNNAMED:
            raise MissingError(
                _(
                    "Nobody has said which model made these vectors, so no text and no picture can be embedded; write "
                    "an @id of the collection."
                )
            )
        return self.clip.require(self.key)

    @cached_property
    def scale(self) -> Scale:
        """What makes logits of cosines, read from the weights without loading the model.

        Raises
        ------
        MissingError
            If the weights are not on this machine.
        """
        return read_scale(self.require())

    @property
    def logit_scale(self) -> float:
        """logits = logit_scale × cosine + the bias of `scale`; raises as that."""
        return self.scale.logit_scale

    @cached_property
    def family(self) -> Family:
        """How it was trained, and so how its probabilities are to be read; raises as `scale`."""
        return family_of(self.require())


PARTS: dict[str, WeightsKind] = {
    "clip": "clip",
    "draws_prompts": "pipeline",
    "draws_embeddings": "pipeline",
    "adapts": "pipeline",
    "prior": "prior",
    "few_steps": "lora",
}
_KEYS = {"key", "title", "description", "licence", "terms", *PARTS, *(f"{part}_revision" for part in PARTS)}


def models() -> dict[str, Model]:
    """All entries by key, the default first, then the other built-in ones, then those of the configuration.

    Raises
    ------
    InputError
        For a mistake in an entry of the configuration.
    """
    return _models(tuple(json.dumps(each, default=str, sort_keys=True) for each in settings().models))


def get(key: str) -> Model:
    """The entry with that key; `UNNAMED` is none of the catalogue's, and its model is never here.

    Raises
    ------
    InputError
        For an unknown key; the message lists the known ones.
    """
    known = models()
    if key == UNNAMED:
        about = _("Whatever made the vectors that a collection brings, where nobody says what it was.")
        return Model(UNNAMED, _("An unnamed model"), about, Weights("clip", "–", path=models_folder() / UNNAMED))
    if key not in known:
        raise InputError(
            _("There is no model {key!r}; choose one of: {known}.").format(key=key, known=", ".join(known))
        )
    return known[key]


@cache
def _shipped() -> tuple[Model, ...]:
    """The models of `catalog.toml`."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    weights = {name: Weights(**table) for name, table in tables["weights"].items()}
    entries: list[dict[str, Any]] = [
        {name: weights[value] if name in PARTS else value for name, value in entry.items()}
        for entry in tables["models"]
    ]
    return tuple(Model(**entry) for entry in entries)


@cache
def _models(entries: tuple[str, ...]) -> dict[str, Model]:
    models = {model.key: model for model in _shipped()}
    for entry in map(json.loads, entries):
        model = _own_entry(entry)
        if model.key in (*models, UNNAMED):
            raise InputError(
                f"The configuration adds a model {model.key!r}, which exists already; give it another key."
            )
        models[model.key] = model
    return models


def _own_entry(entry: dict[str, Any]) -> Model:
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
    parts = {part: _own_weights(entry, part, folder, where) for part in PARTS if part in entry}
    title = entry.get("title", entry["key"])
    description = entry.get("description", title.rstrip(".") + ".")
    return Model(entry["key"], title, description, **parts, **_facts(parts["clip"]))  # type: ignore[arg-type]


def _own_weights(entry: dict[str, Any], part: str, folder: Path, where: str) -> Weights:
    given, revision = entry[part], entry.get(f"{part}_revision")
    kind = "adapter" if part == "draws_embeddings" and "adapts" in entry else PARTS[part]
    terms = {"licence": entry.get("licence", "as its makers say"), "terms": entry.get("terms", "")}
    if revision and not COMMIT.fullmatch(revision):
        raise InputError(
            f"{where} says {part}_revision = {revision!r}; give a commit of 40 hexadecimal digits, or leave it out."
        )
    if HUB_ID.fullmatch(given):
        return Weights(kind, repo=MOVED.get(given, given), revision=revision, **terms)
    weights = Weights(kind, path=(folder / Path(given).expanduser()).resolve(), **terms)
    if not (weights.present or weights.converted):
        raise InputError(
            f"{where} says {part} = {given!r}, and {weights.path} does not hold a whole {weights.kind} in safetensors; "
            "correct it."
        )
    return weights


def _facts(clip: Weights) -> dict[str, int]:
    """What the configuration of a CLIP on this machine says about it."""
    file = clip.folder / "config.json"
    if not file.is_file():
        return {}
    config = json.loads(file.read_bytes())
    return {
        "dim": config.get("projection_dim", 0),
        "tokens": config.get("text_config", {}).get("max_position_embeddings", 77),
        "size": config.get("vision_config", {}).get("image_size", 224),
    }
