"""The families of models of pictures and texts that are known, and what each one's folder must be opened with.

A folder says in `config.json` what it is (`model_type`). The class, tokenizer, image processor and reading of texts are
chosen by that and named here: opened as another family, most weights load without an error and give vectors that are
quietly wrong.

Source: Radford et al. 2021 (CLIP); Chuang et al. 2025 (MetaCLIP 2); Zhai et al. 2023, Tschannen et al. 2025 (SigLIP,
SigLIP 2); Cao et al. 2025 (TIPSv2); Ilharco et al. 2021 (open_clip).
"""

from __future__ import annotations

import html
import json
import math
import re
import string
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from clipexplore.errors import DamagedError, InputError
from clipexplore.language import _
from clipexplore.models import open_clip
from clipexplore.models.residents import or_damaged
from clipexplore.models.revisions import WEIGHTS

if TYPE_CHECKING:
    import tokenizers
    import torch

#: What of a text is read out: its end token, which sees what stands before it; the last of a fixed number of positions,
#: all of which see each other; or the mean of its tokens.
Reading = Literal["end", "last", "mean"]
Probability = Literal["softmax", "sigmoid"]
#: What a vocabulary is made of: pieces that may end a word, as CLIP's; pieces of a sentence with probabilities; or
#: such that were merged.
Pieces = Literal["words", "unigram", "merged"]


@dataclass(frozen=True)
class Family:
    """What a family's folder is opened with, by the names of `transformers`.

    Attributes
    ----------
    model, tokenizer, processor
        Names of classes; without a tokenizer's, `tokenizer.json` is read as it is.
    probability
        "softmax" where the probabilities of several texts for a picture sum to 1, "sigmoid" where each stands alone.
    clean
        What is done to a text before it is cut into tokens.
    pixels
        What the image processor is told beside its configuration.
    start
        In which pixel the middle of a picture begins, given half of what is left over.
    first
        Whether of a picture the first token alone is read out, and not all of them.
    multilingual
        Whether it was trained on texts of many languages.
    """

    title: str
    model: str
    tokenizer: str | None
    processor: str = "CLIPImageProcessorPil"
    reading: Reading = "end"
    pieces: Pieces = "words"
    probability: Probability = "softmax"
    clean: Callable[[str], str] = str
    pixels: dict[str, Any] = field(default_factory=dict)
    start: Callable[[float], int] = math.floor
    first: bool = True
    multilingual: bool = False

    def load_model(self, folder: Path, dtype: torch.dtype) -> Any:
        """The model of a folder, ready to compute.

        Raises
        ------
        DamagedError
            For files that cannot be loaded, and weights with a part missing.
        """
        import transformers

        transformers.utils.logging.disable_progress_bar()
        options = {"local_files_only": True, "use_safetensors": True, "attn_implementation": "sdpa", "dtype": dtype}
        with _whole(folder):
            model, info = getattr(transformers, self.model).from_pretrained(folder, output_loading_info=True, **options)
        if info["missing_keys"]:  # transformers would go on with random numbers in their place
            raise DamagedError(
                _("The weights in {folder} are not those of a whole {family}; fetch or train the model again.").format(
                    folder=folder, family=self.title
                )
            )
        return model.eval()

    def load_processor(self, folder: Path) -> Any:
        """The image processor of a folder.

        Raises
        ------
        DamagedError
            If its configuration cannot be read.
        """
        import transformers

        with _whole(folder):
            return getattr(transformers, self.processor).from_pretrained(folder, local_files_only=True, **self.pixels)

    def load_reader(self, folder: Path, most: int) -> Reader:
        """What turns texts into tokens, of which the model reads at most `most`.

        A tokenizer of `transformers` keeps the truncation and padding of its last call, which threads would take from
        each other; the one it wraps is only read. "<|endoftext|>" typed by a visitor is text like any other.

        Raises
        ------
        DamagedError
            For files that cannot be loaded.
        """
        from tokenizers import Tokenizer

        self._check_vocabulary(folder)
        with _whole(folder):
            tokenizer = Tokenizer.from_str(self._wrapped(folder))
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return Reader(tokenizer, self.clean, self.reading, most, *_padding(folder, tokenizer))

    def _check_vocabulary(self, folder: Path) -> None:
        """Refuses a vocabulary of another kind, of which `transformers` makes something without an error."""
        file = folder / "tokenizer.json"
        with _whole(folder):
            model = json.loads(file.read_bytes())["model"] if file.is_file() else None
        if model is None:
            return
        ends_words = model.get("end_of_word_suffix") == "</w>"
        pieces = "unigram" if model.get("type") == "Unigram" else "words" if ends_words else "merged"
        if pieces != self.pieces:
            raise DamagedError(
                _("The tokenizer in {folder} is not that of a {family}; fetch or train the model again.").format(
                    folder=folder, family=self.title
                )
            )

    def _wrapped(self, folder: Path) -> str:
        import transformers

        if self.tokenizer is None:
            return (folder / "tokenizer.json").read_text(encoding="utf-8")
        wrapped = getattr(transformers, self.tokenizer).from_pretrained(folder, local_files_only=True)
        return wrapped.backend_tokenizer.to_str()

    def dim(self, config: Any) -> int:
        """The number of dimensions of the joint space, by a model's configuration."""
        projected = getattr(config, "projection_dim", None) or getattr(config.text_config, "projection_size", None)
        return projected or config.text_config.hidden_size


@dataclass(frozen=True)
class Reader:
    """Texts as a model reads them. It never changes, so any number of threads may share it."""

    tokenizer: tokenizers.Tokenizer
    clean: Callable[[str], str]
    reading: Reading
    most: int
    pad: int
    left: bool

    @property
    def ends(self) -> list[int]:
        """The tokens at the end of every text: the end token, or none."""
        return self.tokenizer.encode("").ids[-1:]

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each whole text, those at its start and end included."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch([self.clean(text) for text in texts])]

    def cut(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text that the model reads: at most `most`, the end token kept."""
        ends = self.ends
        rows = (row if len(row) <= self.most else [*row[: self.most - len(ends)], *ends] for row in self.whole(texts))
        return [row or [self.pad] for row in rows]

    def padded(self, rows: list[list[int]]) -> tuple[list[list[int]], list[list[int]] | None]:
        """Rows of one length, and for the mean of the tokens which of them count.

        Where the end token is read out, nothing after it matters, and where the mean is, nothing that is masked; only
        where the last position is read and sees all others must a text have its full length always.
        """
        width = self.most if self.reading == "last" else max(map(len, rows))
        fill = self.ends[-1] if self.reading == "end" else self.pad  # the first end token is the one read
        filling = [[fill] * (width - len(row)) for row in rows]
        full = [[*more, *row] if self.left else [*row, *more] for row, more in zip(rows, filling, strict=True)]
        mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
        return full, mask if self.reading == "mean" else None


def _padding(folder: Path, tokenizer: tokenizers.Tokenizer) -> tuple[int, bool]:
    """The token that short texts are filled up with, and whether on the left."""
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_bytes()) if file.is_file() else {}
    token = config.get("pad_token") or "<pad>"
    pad = tokenizer.token_to_id(token["content"] if isinstance(token, dict) else token)
    return 0 if pad is None else pad, config.get("padding_side") == "left"


def _as_from_the_web(text: str) -> str:
    """As OpenAI trained, and those who followed: what encodings and pages garbled is mended, quotes are straight, HTML
    entities are characters, spaces single.
    """
    import ftfy

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())


def _without_punctuation(text: str) -> str:
    """As SigLIP was trained: lower case, no punctuation, single spaces."""
    return re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation))).strip()


CLIP = Family("CLIP", "CLIPModel", "CLIPTokenizer", clean=_as_from_the_web)
#: Trained with open_clip, whose crop begins a pixel later where what is left over is an odd number of halves.
OPEN_CLIP = replace(CLIP, start=round)  # to the even one
METACLIP_2 = Family("MetaCLIP 2", "MetaClip2Model", "XLMRobertaTokenizer", pieces="unigram", multilingual=True)
SIGLIP = Family(
    "SigLIP",
    "SiglipModel",
    None,
    "SiglipImageProcessorPil",
    "last",
    "unigram",
    "sigmoid",
    clean=_without_punctuation,
    first=False,
)
SIGLIP_2 = Family(
    "SigLIP 2",
    "SiglipModel",
    "Siglip2Tokenizer",
    "SiglipImageProcessorPil",
    "last",
    "merged",
    "sigmoid",
    clean=str.lower,
    first=False,
    multilingual=True,
)
TIPS_2 = Family(
    "TIPSv2",
    "Tipsv2Model",
    "Tipsv2Tokenizer",
    "SiglipImageProcessorPil",
    "mean",
    "merged",
    clean=str.lower,
    pixels={"do_normalize": False},
)

_BY_TYPE = {"clip": CLIP, "metaclip_2": METACLIP_2, "siglip": SIGLIP, "tipsv2": TIPS_2}
_OTHERS = {
    "align": "ALIGN",
    "altclip": "AltCLIP",
    "blip": "BLIP",
    "chinese_clip": "Chinese CLIP",
    "clipseg": "CLIPSeg",
    "siglip2": "SigLIP 2 of flexible size",
}


def family_of(folder: Path) -> Family:
    """The family of the model in a folder, by its own word.

    Raises
    ------
    InputError
        For a family that is not known; the message names it.
    DamagedError
        If the folder does not say.
    """
    with _whole(folder):
        kind = json.loads((folder / "config.json").read_bytes())["model_type"]
    if kind not in _BY_TYPE:
        title = _OTHERS.get(kind, str(kind))
        raise InputError(
            _("The model in {folder} is of the family {title}, which cannot be explored; use one of: {known}.").format(
                folder=folder,
                title=title,
                known=", ".join(family.title for family in (CLIP, SIGLIP, SIGLIP_2, METACLIP_2, TIPS_2)),
            )
        )
    if kind == "siglip" and _is_gemma(folder):
        return SIGLIP_2
    return OPEN_CLIP if kind == "clip" and (folder / open_clip.CONFIG).is_file() else _BY_TYPE[kind]


class Scale(NamedTuple):
    """What makes logits of cosines: logits = logit_scale × cosine + logit_bias.

    With a bias, as SigLIP's, the probability of a text is the sigmoid of its own logit; without one, None, it is the
    softmax over all texts. `learned` is false where the weights hold no scale, so that another stands in for it.
    """

    logit_scale: float
    logit_bias: float | None = None
    learned: bool = True


def read_scale(folder: Path) -> Scale:
    """The learned scale of a model, read from its safetensors without loading the rest.

    CLIP and SigLIP learn its logarithm, SigLIP a bias too; TIPS learns its inverse, which its published weights leave
    out: then the one its configuration starts from is used.
    """
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="np") as file:
        learned = {
            name: float(file.get_tensor(name).item())
            for name in ("logit_scale", "logit_bias", "temperature")
            if name in file.keys()  # noqa: SIM118 – no mapping
        }
    if "logit_scale" in learned:
        return Scale(math.exp(learned["logit_scale"]), learned.get("logit_bias"))
    config = json.loads((folder / "config.json").read_bytes())
    start = config.get("temperature_init_value", 0.005065968260169029)
    return Scale(1 / learned.get("temperature", start), learned="temperature" in learned)


def _is_gemma(folder: Path) -> bool:
    """Whether the tokenizer is that of SigLIP 2, which has the configuration of SigLIP."""
    file = folder / "tokenizer_config.json"
    name = json.loads(file.read_bytes()).get("tokenizer_class", "") if file.is_file() else ""
    return name.startswith(("Gemma", "Siglip2"))


def _whole(folder: Path) -> AbstractContextManager[None]:
    return or_damaged(_("The model in {folder} cannot be loaded: {error}; fetch or train it again."), folder=folder)
