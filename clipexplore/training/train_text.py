"""Teach the bundled CLIP's text tower the words that people type; its picture tower stays as it is, bit for bit.

    python -m clipexplore.training.train_text --hours 2 --cooldown      # begins at runs/first, or resumes runs/text
    python -m clipexplore.training.train_text --export assets/models/emoji/clip

The tower starts as that of the first edition, which knows the grammar's 2,600 words, with more tokens
(`grow_tokenizer`). A step teaches it

- **captions**: to say what the first edition said of them, token by token where they are spelled alike, so that a
  drawing model goes on; and the same of captions in which a thing goes by another name, or a number by its digit;
- **words**: to point at pictures of their things among those of all things (a contrastive loss with several right
  answers), and where the first edition's names of these things point; a tag, which says less than a name, part of the
  way from the middle of all names;
- **nothing**: nouns that it shall not know, flags, and letters at random lie in the middle of all names, where no
  picture is nearer than another.

No picture is seen in a step: things stand as means of their pictures' vectors, made once.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from string import ascii_lowercase

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer

from ..known import Known, words_of
from ..models.embedder import Embedder
from . import captions, words
from .clip_model import CONTEXT, grow_tokenizer
from .evaluate import embed_scenes
from .places import COLOURS, PLACES
from .runs import Run, arguments
from .scenes import MAKERS, Scene, alone, scene
from .things import by_name, pluralize, things, with_article
from .train_clip import contrastive_loss
from .words import Said

RUN, FIRST = Path("runs/text"), Path("runs/first/clip")
RATE, KEEP, DECAY, BETAS, WARMUP = 1e-3, 0.99, 0.01, (0.9, 0.98), 60
WORDS, CAPTIONS, SPELLED_ALIKE = 320, 16, 3  # of each in a step
PICTURES = 6  # of a thing, that stand for it
LENGTHS = 8  # parts of a step's words that are each padded to their longest
TAG = 0.75  # how far from the middle of all names to its thing's a tag points
CLOSE = 4.0  # weight of what a name moves, 1 − cosine, against how well it tells its pictures from others
STATES = 0.3  # weight of what a token's state differs from the first edition's, squared
# How often a step's words are English, names and tags of other languages, emoji characters, and nothing that it knows.
KINDS, SHARES = ("english", "names", "tags", "emoji", "nothing"), (22, 42, 12, 18, 6)
TIMES = {"hi": 3}  # how often a language comes where others come once: the one that takes the most tokens a word
# Small words that captions of the world do without.
FUNCTION_WORDS = set(
    [
        "my",
        "your",
        "his",
        "her",
        "its",
        "our",
        "their",
        "this",
        "that",
        "these",
        "those",
        "some",
        "any",
        "is",
        "are",
        "was",
        "no",
        "not",
        "or",
        "but",
        "by",
        "from",
        "into",
        "near",
        "next",
        "who",
        "which",
        "me",
        "you",
        "i",
        "we",
    ]
)
DIGITS = {word: str(number) for number, word in captions.NUMBERS.items()} | {
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}


# Texts


@cache
def learned(kind: str) -> tuple[Said, ...]:
    """All that is trained on of one of `KINDS`."""
    if kind == "english":
        return tuple(said for said in words.english() if said.text not in grammar_words())
    if kind == "emoji":
        return words.emoji()
    if kind == "nothing":
        return tuple(Said(text, "en", (), False) for text in unknown(training=True))
    every = (said for language in words.LANGUAGES for said in TIMES.get(language, 1) * words.foreign(language))
    return tuple(said for said in every if said.own == (kind == "names") and not words.is_held_out(said))


@cache
def grammar_words() -> frozenset[str]:
    """Colours, places and numbers, which the first edition knows and which are no tags of things."""
    places = (word for place in PLACES.values() for word in place.words)
    return frozenset((*COLOURS, *DIGITS, *places, *(word for many in captions.COLOUR_WORDS.values() for word in many)))


def unknown(training: bool) -> list[str]:
    """Nouns of WordNet that no source has, and emoji of no thing; the ones to train on, or the others."""
    taken = {word for said in words.english() for word in said.text.split()} | {
        word for text in captions.vocabulary() for word in text.split()
    }
    every = [noun for noun in words.nouns() if noun not in taken] + list(words.other_emoji())
    return every[0 if training else 1 :: 2]


def corpus() -> Counter[str]:
    """Texts to learn tokens from, and how often each counts."""
    found, rng = Counter({text: 20 for text in captions.vocabulary()}), Random(0)
    found.update(captions.synonymous(scene(seed), rng) for seed in range(20_000))
    for kind, times in (("english", 10), ("emoji", 6), ("names", 4), ("tags", 3)):
        found.update({said.text: times for said in learned(kind)})
    # Each of these shall have a token of its own, which a byte-level one of four bytes has only where it is frequent.
    found.update({text: 60 for thing in things() for text in {thing.emoji, words.plain(thing.emoji)}})
    found.update({said.text: 20 for said in words.english() if said.own})
    return found


def known_texts() -> frozenset[str]:
    """Everything that was learned, of a word to a name, and the words of captions."""
    rng = Random(0)
    sentences = (words.cleaned(text) for seed in range(20_000) for text in reworded(scene(seed), rng))
    found = (
        {word for text in sentences if text.isascii() for word in words_of(text)}
        | {*DIGITS, *DIGITS.values()}
        | FUNCTION_WORDS
    )
    every = (said.text for kind in KINDS if kind != "nothing" for said in learned(kind))
    return frozenset(found.union(every, (text.lower() for text in captions.vocabulary())))


def reworded(one: Scene, rng: Random) -> tuple[str, str]:
    """A caption in the first edition's words, and the same with a thing under another of its names, and digits for
    numbers.
    """
    before = captions.literal(one) if rng.random() < 0.7 else captions.caption(one, rng)
    return before, with_digits(renamed(before, one, rng)) if rng.random() < 0.6 else renamed(before, one, rng)


def renamed(text: str, one: Scene, rng: Random) -> str:
    """The first thing under another of its names, if the text calls it by its literal one."""
    thing = by_name()[one.items[0].name]
    other = rng.choice(own_names()[thing.name])
    if one.kind == "count":
        return text.replace(thing.plural, pluralize(other) if other.isascii() else other, 1)
    article = with_article(other) if other.isascii() else other
    name = re.escape(thing.name)
    return re.sub(
        rf"\ban? {name}\b|\b{name}\b", lambda found: article if found[0] != thing.name else other, text, count=1
    )


def with_digits(text: str) -> str:
    return " ".join(DIGITS.get(word, word) for word in text.split())


@cache
def own_names() -> dict[str, tuple[str, ...]]:
    """A thing's name → English names of it, and its emoji character."""
    found = {thing.name: [thing.emoji] for thing in things()}
    for said in words.english():
        for index in said.things if said.own else ():
            found[things()[index].name].append(said.text)
    return {name: tuple(texts) for name, texts in found.items()}


def counted(rng: Random) -> tuple[str, str]:
    """ "three lions" and "3 lions", up to nine."""
    plural = rng.choice([thing.plural for thing in things() if thing.plural])
    word, digit = rng.choice(list(DIGITS.items()))
    return f"{word} {plural}", f"{digit} {plural}"


def framed(said: Said, rng: Random) -> str:
    """A word, now and then in a phrase: "a photo of a kitten"."""
    if said.language != "en" or not said.own or rng.random() < 0.6:
        return said.text
    return rng.choice(captions.FRAMES).format(with_article(said.text))


def nonsense(rng: Random) -> str:
    return "".join(rng.choices(ascii_lowercase, k=rng.randint(3, 10)))


# Targets


class Targets:
    """Where texts are to point, by the first edition.

    Attributes
    ----------
    pictures
        `(things, dim)`: the middle of each thing's pictures, alone on any ground, unit norm.
    names
        `(things, dim)`: the vector of each thing's name, `sharpened`, unit norm.
    middle
        `(dim,)`: of all names, unit norm.
    """

    def __init__(self, folder: Path, first: Embedder):
        self._first, path = first, folder / "things.npy"
        if not path.exists():
            np.save(path, thing_pictures(first))
        self.pictures = torch.from_numpy(np.load(path))
        names = torch.from_numpy(first.embed_texts([thing.name for thing in things()]))
        self.middle = F.normalize(names.mean(0), dim=0)
        self.names = sharpened(names, self.pictures, first.logit_scale)
        self._words = self._told_right()

    def _told_right(self) -> dict[str, torch.Tensor]:
        """The words that the first edition finds a right thing for, among the five nearest, and their vectors."""
        said = [each for each in words.english() if each.text in set(captions.vocabulary())]
        vectors = self.captions([each.text for each in said])
        nearest = (vectors @ self.pictures.T).topk(5).indices.tolist()
        return {
            each.text: vector
            for each, vector, found in zip(said, vectors, nearest, strict=True)
            if set(found) & set(each.things)
        }

    def of(self, said: Said) -> torch.Tensor:
        """Of a word or a name, `(dim,)` unit norm."""
        if not said.things:
            return self.middle
        if said.language == "en" and len(said.things) > 1 and said.text in self._words:
            return self._words[said.text]
        towards = F.normalize(self.names[list(said.things)].mean(0), dim=0)
        return towards if said.own else F.normalize(self.middle + TAG * (towards - self.middle), dim=0)

    def true(self, said: list[Said]) -> torch.Tensor:
        """`(texts, things)` bool: what is true of what."""
        found = torch.zeros(len(said), len(self.pictures), dtype=torch.bool)
        for row, each in enumerate(said):
            found[row, list(each.things)] = True
        return found

    def captions(self, texts: list[str]) -> torch.Tensor:
        """What the first edition makes of captions, `(n, dim)` unit norm."""
        return torch.from_numpy(self._first.embed_texts(texts))


def sharpened(names: torch.Tensor, pictures: torch.Tensor, scale: float, steps: int = 120) -> torch.Tensor:
    """Names `(things, dim)` moved to where each is nearer to its own pictures than to any other thing's, no further.

    One name in seven is nearer to another's pictures, and what learns from it would be, too.
    """
    moved = names.clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=0.01)
    for _ in range(steps):
        unit = F.normalize(moved, dim=1)
        loss = F.cross_entropy(scale * unit @ pictures.T, torch.arange(len(names))) + CLOSE * (
            1 - (unit * names).sum(1).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return F.normalize(moved.detach(), dim=1)


def thing_pictures(embedder: Embedder) -> np.ndarray:
    """The middle of pictures of each thing, `(things, dim)` unit norm."""
    middles = []
    for number, thing in enumerate(things()):
        grounds = (MAKERS["single"](seed, Random(seed)) for seed in range(number * PICTURES, (number + 1) * PICTURES))
        vectors = embed_scenes(embedder, [alone(one.seed, thing.name, one.place, one.background) for one in grounds])
        middles.append(vectors.mean(0) / np.linalg.norm(vectors.mean(0)))
    return np.stack(middles)


# Training


class Texts(Dataset):
    """Batch number → tokens of words, captions and captions spelled alike, with their targets."""

    def __init__(self, tokenizer: CLIPTokenizer, first: CLIPTokenizer, targets: Targets):
        self.tokenizer, self.first, self.targets = tokenizer, first, targets

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = Random(f"texts {number}")
        some = [rng.choice(learned(kind)) for kind in rng.choices(KINDS, SHARES, k=WORDS)]
        some = [(framed(said, rng) if said.things or rng.random() < 0.7 else nonsense(rng), said) for said in some]
        some.sort(key=lambda each: len(self.tokenizer.tokenize(each[0])))
        pairs = [
            counted(rng) if rng.random() < 0.12 else reworded(scene(rng.randrange(1 << 32)), rng)
            for _ in range(CAPTIONS)
        ]
        return {
            "words": self._tokens([text for text, _ in some]),
            "targets": torch.stack([self.targets.of(said) for _, said in some]),
            "true": self.targets.true([said for _, said in some]),
            "captions": self._tokens([after for _, after in pairs]),
            "caption_targets": self.targets.captions([before for before, _ in pairs]),
            "alike": self._alike(rng),
        }

    def _alike(self, rng: Random) -> torch.Tensor:
        """Captions with the same tokens before and after, `(SPELLED_ALIKE, CONTEXT)`, padded as a drawing model reads
        them.
        """
        found = []
        while len(found) < SPELLED_ALIKE:
            text = captions.caption(scene(rng.randrange(1 << 32)), rng)
            ids = (
                self._tokens([text], padding="max_length"),
                self.first(
                    [text], padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt"
                ).input_ids,
            )
            if torch.equal(*ids):
                found.append(ids[0])
        return torch.cat(found)

    def _tokens(self, texts: list[str], padding: str | bool = True) -> torch.Tensor:
        return self.tokenizer(
            texts, padding=padding, truncation=True, max_length=CONTEXT, return_tensors="pt"
        ).input_ids


def step_loss(
    first: CLIPTextModelWithProjection,
    pictures: torch.Tensor,
    scale: float,
    model: CLIPTextModelWithProjection,
    words: torch.Tensor,
    targets: torch.Tensor,
    true: torch.Tensor,
    captions: torch.Tensor,
    caption_targets: torch.Tensor,
    alike: torch.Tensor,
) -> torch.Tensor:
    """The sum of what words, captions and captions spelled alike are off by; `pictures` `(things, dim)`, see `Texts`
    for the rest.
    """
    # Words come in order of length: part by part, the short ones are not padded to the longest.
    told = torch.cat(
        [
            F.normalize(model(input_ids=trimmed(some, model)).text_embeds.float(), dim=-1)
            for some in words.chunk(LENGTHS)
        ]
    )
    known = true.any(1)
    names_things = contrastive_loss(scale * told[known] @ pictures.T, true[known])
    off = (1 - (told * targets).sum(1)).mean()
    said = F.normalize(model(input_ids=captions).text_embeds.float(), dim=-1)
    caption_off = (1 - (said * caption_targets).sum(1)).mean()
    same, before = model(input_ids=alike), first(input_ids=alike)
    states_off = (same.last_hidden_state - before.last_hidden_state).square().mean()
    return 0.3 * names_things + 4 * off + 8 * caption_off + STATES * states_off


def trimmed(tokens: torch.Tensor, model: CLIPTextModelWithProjection) -> torch.Tensor:
    """Without what is padding in every row."""
    return tokens[:, : int((tokens != model.config.eos_token_id).sum(1).max()) + 1]


class TextRun(Run):
    """The text tower in training; a new run starts from the first edition."""

    def __init__(self, folder: Path, first: Path, device: str = "cpu"):
        fresh = not self.begun(folder)
        self.first_tokenizer = CLIPTokenizer.from_pretrained(first)
        self.tokenizer = _tokenizer(folder / "tokenizer", self.first_tokenizer)
        self.first = (
            CLIPTextModelWithProjection.from_pretrained(first, dtype=torch.float32).eval().requires_grad_(False)
        )
        model = (
            grown(self.first, self.first_tokenizer, self.tokenizer)
            if fresh
            else _empty(self.first, len(self.tokenizer))
        )
        super().__init__(folder, model, device, RATE, KEEP, DECAY, BETAS, WARMUP)

    def export(self, first: Path, folder: Path) -> None:
        """The CLIP of the first edition with this text tower, in float16: a folder that `CLIPModel.from_pretrained`
        loads.
        """
        model = CLIPModel.from_pretrained(first)  # in float16, as it lies there
        text = self.averaged(_empty(self.first, len(self.tokenizer))).half()
        model.text_model, model.text_projection = text.text_model, text.text_projection
        model.config.text_config.vocab_size = len(self.tokenizer)
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        CLIPImageProcessorPil.from_pretrained(first).save_pretrained(folder)
        Known(known_texts()).save(folder)
        before = json.loads((first / "training.json").read_text())
        (folder / "training.json").write_text(json.dumps(before | {"text": self.ledger()}) + "\n")


def _tokenizer(folder: Path, first: CLIPTokenizer) -> CLIPTokenizer:
    if not folder.exists():
        grow_tokenizer(first, corpus()).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def _empty(first: CLIPTextModelWithProjection, tokens: int) -> CLIPTextModelWithProjection:
    """A tower of the first one's shape but for its number of tokens, to be filled."""
    config = type(first.config).from_dict(first.config.to_dict() | {"vocab_size": tokens})
    return CLIPTextModelWithProjection._from_config(config, attn_implementation="eager", dtype=torch.float32)


def grown(
    first: CLIPTextModelWithProjection, before: CLIPTokenizer, after: CLIPTokenizer
) -> CLIPTextModelWithProjection:
    """The first tower with a vector for each new token: of the tokens that it translates, see `translations`, or is
    merged from.
    """
    model, known = _empty(first, len(after)), first.text_model.embeddings.token_embedding.weight
    shares, total = translations(before, after)
    vectors = list(known)
    for token, number in sorted(after.get_vocab().items(), key=lambda entry: entry[1])[len(known) :]:
        pieces = after.convert_tokens_to_ids(_parts(after)[token])
        vectors.append(shares[number] @ known if total[number] else (vectors[pieces[0]] + vectors[pieces[1]]) / 2)
    state = {name: value.clone() for name, value in first.state_dict().items()}
    state["text_model.embeddings.token_embedding.weight"] = torch.stack(vectors)
    model.load_state_dict(state)
    return model


@cache
def _parts(tokenizer: CLIPTokenizer) -> dict[str, list[str]]:
    """A merged token → the two that it was first merged from."""
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    return {"".join(pair): list(pair) for pair in reversed(merges)}


def translations(before: CLIPTokenizer, after: CLIPTokenizer, rounds: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """For each token, `(tokens, tokens before)`, which tokens of things' names it stands for, by what it is said of;
    and whether anything is known, `(tokens,)`.

    Shares add up to 1. Each text that is learned is taken for a translation of its things' names; which token belongs
    to which is found by expectation maximisation.

    Source
    ------
    Brown et al. 1993, "The Mathematics of Statistical Machine Translation", model 1.
    """
    names = [before(thing.name, add_special_tokens=False)["input_ids"] for thing in things()]
    rows, columns, pairs = [], [], []
    spoken = [said for kind in KINDS for said in learned(kind) if 0 < len(said.things) <= 8]
    spelled = after([said.text for said in spoken], add_special_tokens=False)["input_ids"]
    for number, (said, tokens) in enumerate(zip(spoken, spelled, strict=True)):
        meant = sorted({each for index in said.things for each in names[index]})
        rows += [token for token in tokens for _ in meant]
        columns += meant * len(tokens)
        pairs += [number * 64 + place for place in range(len(tokens)) for _ in meant]
    rows, columns, pairs = torch.tensor(rows), torch.tensor(columns), torch.tensor(pairs).unique(return_inverse=True)[1]
    shares = torch.ones(len(after), len(before))
    for _ in range(rounds):
        weights = shares[rows, columns]
        weights = (
            weights / torch.zeros(int(pairs.max()) + 1).index_add_(0, pairs, weights)[pairs]
        )  # each token is owed to what is meant, once in all
        counts = torch.zeros(len(after), len(before)).index_put_((rows, columns), weights, accumulate=True)
        shares = counts / counts.sum(0).clamp(min=1e-6)  # how often a token of a name is said with each token
    total = counts.sum(1)
    return counts / total.clamp(min=1e-6)[:, None], total > 0


def train(run: TextRun, targets: Targets, scale: float, hours: float, workers: int, cooldown: bool) -> None:
    texts = Texts(run.tokenizer, run.first_tokenizer, targets)
    loader = DataLoader(
        texts,
        batch_size=None,
        sampler=range(run.step, 1 << 30),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    loss: Callable = partial(step_loss, run.first.to(run.device), targets.pictures.to(run.device), scale)
    run.train(loader, loss, hours, cooldown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument(
        "--first", type=Path, default=FIRST, help="the exported CLIP of the first edition, which `train_clip` makes"
    )
    parser.add_argument("--export", type=Path, help="write the CLIP with the averaged text tower as a model folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = TextRun(options.run, options.first, options.device)
    if options.hours:
        first = Embedder.load(options.first, "cpu")
        train(run, Targets(options.run, first), first.logit_scale, options.hours, options.workers, options.cooldown)
    if options.export:
        run.export(options.first, options.export)


if __name__ == "__main__":
    main()
