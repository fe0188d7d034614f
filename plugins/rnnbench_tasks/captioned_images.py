"""Captions of pictures from files: Flickr8k, COCO, or a collection of one's own."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from sacrebleu.metrics import BLEU
from torch import Generator, Tensor
from torch.nn.functional import adaptive_avg_pool2d

import rnnbench
from rnnbench_tasks import pairs, written_pairs
from rnnbench_tasks.albums import Album, AlbumFiles
from rnnbench_tasks.caption_files import Words, words
from rnnbench_tasks.captioning import Captioning
from rnnbench_tasks.nearest import nearest
from rnnbench_tasks.pairs import END
from rnnbench_tasks.parts import PARTS, SHARES, TITLES, Part, overlaps
from rnnbench_tasks.typical_caption import typical

DRAWN = 400
"""How many pictures are drawn where no file is given."""

FILTERS = (16, 32, 32)
WIDEST = 8
"""So many rows or columns of places a picture has at most; larger ones get more convolutions."""

GRID = 4
"""Pictures look alike if their colours do in a grid of so many rows and columns."""

PART = 1024

PIXEL = 255.0


@dataclass(frozen=True)
class Sayings:
    """The captions of all pictures in numbers: [steps, captions], each closed by <END>.

    first, count  [pictures], which is the first of each, and how many follow on one another
    """

    numbers: Tensor
    first: Tensor
    count: Tensor


class CaptionedImages(rnnbench.Task):
    """Say what is to be seen in a picture.

        input    a photo of a beach, 32 × 32 pixels
        target   two dogs play on the beach . <END>

    `data` names a file of captions in JSON, a list of pictures with theirs or as COCO's are, and
    `images` a folder with the files that it names, or an array (.npz, .npy) in the same order.
    Instead of the pictures a network may be given `features` of them, made beforehand by another
    network; they are divided by the length that the vectors of places have in training (the root of
    its mean square). 80 % of the pictures are for training, 10 % for validation and 10 % for the
    test, unless `valid` or `test` name captions of their own. Without files there are 400 drawn
    pictures of coloured shapes, of 32 × 32 pixels; `captioning` draws them without end.

    Captions are cut into words and punctuation marks, in small letters. A training batch has one of
    the captions of each of its pictures. Held out, all captions of a picture are right answers for
    BLEU and chrF; exact match and token accuracy know the first.

    Not causal: there is one picture, and no order in which to read it.
    """

    name = "captioned_images"
    reference = "Vinyals et al. 2015, arXiv:1411.4555; Xu et al. 2015, arXiv:1502.03044"
    options = {
        "data": rnnbench.Option("", file=True, help="captions; none: drawn pictures"),
        "images": rnnbench.Option("", file=True, help="folder, or array of pictures"),
        "features": rnnbench.Option("", file=True, help="features to read instead of pictures"),
        "valid": rnnbench.Option("", file=True, help="captions for validation; none: part of data"),
        "valid_images": rnnbench.Option(
            "", file=True, help="their folder or array; none: the folder `images`"
        ),
        "valid_features": rnnbench.Option("", file=True, help="their features"),
        "test": rnnbench.Option("", file=True, help="captions for the test; none: part of data"),
        "test_images": rnnbench.Option(
            "", file=True, help="their folder or array; none: the folder `images`"
        ),
        "test_features": rnnbench.Option("", file=True, help="their features"),
        "side": rnnbench.Option(
            32, low=0, high=512, help="pixels to which pictures are squeezed; 0: they are not"
        ),
        "limit": rnnbench.Option(
            20, low=0, help="most words of a caption to train on, the first ones; 0: any number"
        ),
        "seen": rnnbench.Option(1, low=1, help="how often training must have a word to know it"),
        "embedding": rnnbench.Option(64, low=0, help="width of a word's vector; 0: one-hot"),
        "width": rnnbench.Option(64, low=1, help="width of the vector that is read of a picture"),
    }
    pattern = "one-to-many"
    causal = False
    metrics = ("bleu", "bleu_1", "bleu_2", "bleu_3", "chrf", "token_accuracy", "exact_match")

    data: str
    images: str
    features: str
    valid: str
    valid_images: str
    valid_features: str
    test: str
    test_images: str
    test_features: str
    side: int
    limit: int
    seen: int
    embedding: int
    width: int

    @property
    def sequence_length(self) -> int:
        """One: the picture."""
        return 1

    @property
    def target_length(self) -> int:
        """The words of the longest caption for training, and <END>."""
        return len(self._sayings.numbers)

    @cached_property
    def inputs(self) -> rnnbench.Images | rnnbench.Features:
        """The pictures, or features of them."""
        train = self._parts["train"]
        if train.features is not None:
            return rnnbench.Features(*train.features.shape[1:], embedding=self.width)
        channels, height, width = train.images.shape[1:]
        filters = FILTERS
        while max(rnnbench.Images(channels, height, width, filters).grid) > WIDEST:
            filters = (*filters, filters[-1])
        return rnnbench.Images(channels, height, width, filters, self.width)

    @cached_property
    def targets(self) -> rnnbench.Sequences:
        """The words of training; number 0 stands for all others, and is never said.

        The last one is <END>.
        """
        symbols = (*self._vocabulary.symbols, END)
        return rnnbench.Sequences(
            symbols,
            end=len(symbols) - 1,
            between=" ",
            unknown=0,
            embedding=self.embedding or None,
        )

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """What BLEU reads for captions that nobody thought of for the pictures of the test.

        chance is any training caption, trivial the one that suits all training pictures best, most
        frequent the one that is there most often, and nearest the first of the training picture
        that is most alike: in the colours of 4 × 4 fields, or in the mean features of all places.
        Solved is what the best of them reaches.
        """
        test, train = self._held_out["test"], self._parts["train"]
        draws = torch.randint(len(train), (len(test),), generator=Generator().manual_seed(0))
        trivial = self._bleu(self._texts(self.trivial(test)))
        often = Counter(caption for captions in train.captions for caption in captions)
        ((most, _),) = often.most_common(1)
        floors = {
            "most frequent": self._bleu([_text(most)] * len(test)),
            "nearest": self._bleu([_text(train.captions[n][0]) for n in self._nearest]),
        }
        return rnnbench.Anchors(
            chance=self._bleu([_text(train.captions[n][0]) for n in draws.tolist()]),
            trivial=trivial,
            oracle=None,
            solved=max(trivial, *floors.values()),
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  nothing is read in order
        """Return how many words lie between the picture and the end of its caption, on average."""
        ended = self._sayings.numbers == self.targets.end
        return ended.int().argmax(0).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training pictures, and of each one caption: inputs [1, size, …], targets.

        They are different pictures, unless there are fewer than `size`.
        """
        count, device = len(self._parts["train"]), generator.device
        if size > count:
            rows = torch.randint(count, (size,), generator=generator, device=device)
        else:
            rows = torch.randperm(count, generator=generator, device=device)[:size]
        share = torch.rand(size, generator=generator, device=device).cpu()
        rows, said = rows.cpu(), self._sayings
        # in double precision, a share below 1 stays below it
        chosen = said.first[rows] + (share.double() * said.count[rows]).long()
        inputs = self._seen(self._parts["train"].given[rows.numpy()])
        return rnnbench.Batch(inputs.unsqueeze(0), said.numbers[:, chosen]).to(device)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all pictures for validation or for the test, with all their captions."""
        return self._held_out[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say of every picture the caption that suits all in training best: [steps, batch]."""
        said = self._vocabulary.encode(self._typical)
        return pairs.answered([said] * len(batch), batch, self.targets.end)

    @property
    def notes(self) -> tuple[str, ...]:
        """How pictures were split, captions cut, and what training does not know of the others."""
        return tuple(self._noted())

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out pictures another part has too."""
        alike = {
            part: [hashlib.sha256(row.tobytes()).digest() for row in album.given]
            for part, album in self._parts.items()
        }
        return tuple(overlaps(alike, "pictures"))

    def _noted(self) -> Iterator[str]:
        counts = [f"{len(album):,} {TITLES[part]} pictures" for part, album in self._parts.items()]
        dealt = [TITLES[part] for part in PARTS if part not in self._files]
        origin = (
            f"; {' and '.join(dealt)} dealt from `data` by hash of their numbers" if dealt else ""
        )
        yield ", ".join(counts) + (origin if self.data else ", drawn")
        if self.images and self.side:
            yield f"pictures are brought to {self.side} × {self.side} pixels (`side`)"
        whole, cut = self._parts["train"].captions, self._trained
        shortened = sum(
            len(long) > len(short)
            for before, after in zip(whole, cut, strict=True)
            for long, short in zip(before, after, strict=True)
        )
        if shortened:
            yield (
                f"{shortened:,} of {sum(map(len, whole)):,} training captions cut to their first "
                f"{self.limit} words"
            )
        for part in PARTS[1:]:
            captions = self._parts[part].captions
            share = written_pairs.unknown(
                (one for each in captions for one in each), self._vocabulary
            )
            if share:
                yield f"{share:.2%} of the words of {TITLES[part]} captions are unknown to training"
        several = [captions for captions in self._parts["test"].captions if len(captions) > 1]
        if several:
            first = [_text(captions[0]) for captions in several]
            others = [[_text(one) for one in captions[1:]] for captions in several]
            yield (
                f"people reach BLEU {_bleu(first, others):.1f}: the first caption of each test "
                "picture, scored by its others"
            )

    @cached_property
    def _held_out(self) -> dict[rnnbench.Split, rnnbench.Batch]:
        batches: dict[rnnbench.Split, rnnbench.Batch] = {}
        for split in ("valid", "test"):
            album = self._parts[split]
            shown = album.features is not None and album.images is not None
            batches[split] = rnnbench.Batch(
                self._seen(album.given).unsqueeze(0),
                self._said([captions[:1] for captions in album.captions]).numbers,
                references=tuple(tuple(map(_text, captions)) for captions in album.captions),
                pictures=torch.from_numpy(album.images) / PIXEL if shown else None,
            )
        return batches

    def _seen(self, given: np.ndarray) -> Tensor:
        """Return what a network sees: pixels from 0 to 1, or features, float32."""
        return torch.from_numpy(given).float() / self._scale

    @cached_property
    def _scale(self) -> float:
        """What pixels or features are divided by.

        Places are of length 1, as Antol et al. 2015 have them: of wide features as they come, one
        step of training changes a sum of thousands.
        """
        train = self._parts["train"].given
        if train.dtype == np.uint8:
            return PIXEL
        squares = sum(float(np.square(one, dtype=np.float32).sum()) for one in train)
        return math.sqrt(squares / math.prod(train.shape[:2])) or 1.0

    @cached_property
    def _sayings(self) -> Sayings:
        return self._said(self._trained)

    def _said(self, captions: Sequence[Sequence[Words]]) -> Sayings:
        """Put captions in numbers."""
        each = [torch.tensor(self._vocabulary.encode(one)) for some in captions for one in some]
        padded, lengths = rnnbench.pad(each, max(map(len, each)))
        count = torch.tensor([len(some) for some in captions])
        return Sayings(
            pairs.close(padded, lengths, self.targets.end), count.cumsum(0) - count, count
        )

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        captions = [caption for captions in self._trained for caption in captions]
        counts = Counter(word for caption in captions for word in caption)
        known = rnnbench.Vocabulary.of(
            [word for word in caption if counts[word] >= self.seen] for caption in captions
        )
        if len(known) < 2:
            raise rnnbench.DataError(
                f"{self.data}: no word is there {self.seen} times in the captions of training; "
                "expected one at least: make `seen` smaller"
            )
        return known

    @cached_property
    def _typical(self) -> Words:
        return typical(self._trained, {*self._vocabulary.symbols[1:]})

    @cached_property
    def _nearest(self) -> list[int]:
        """The most similar training picture of every one of the test."""
        train, test = (_summary(self._parts[part].given) for part in ("train", "test"))
        return nearest(test, train, torch.arange(len(train))).tolist()

    @cached_property
    def _trained(self) -> list[list[Words]]:
        """The captions for training, cut after `limit` words."""
        most = self.limit or None
        return [[one[:most] for one in captions] for captions in self._parts["train"].captions]

    @cached_property
    def _parts(self) -> dict[Part, Album]:
        """Read the files that are given, and deal the parts that have none from `data`."""
        given = {part: files.read(self.side) for part, files in self._files.items()}
        if not given:
            given = {"train": self._drawn()}
        shares = {part: SHARES[part] for part in PARTS if part == "train" or part not in given}
        whole, total = given["train"], sum(shares.values())
        if len(whole) < len(shares):
            raise rnnbench.DataError(
                f"{self.data}: {len(whole)} pictures cannot be dealt into "
                f"{' and '.join(TITLES[part] for part in shares)} parts; give more"
            )
        dealt = rnnbench.deal(len(whole), {part: each / total for part, each in shares.items()})
        albums = {
            part: whole.choose(dealt[part]) if part in dealt else given[part] for part in PARTS
        }
        self._check(albums)
        return albums

    def _check(self, albums: dict[Part, Album]) -> None:
        """Refuse parts whose pictures have other shapes than those of training."""
        expected = albums["train"].given.shape[1:]
        for part, album in albums.items():
            if album.given.shape[1:] != expected:
                file = self._files[part].features or self._files[part].images
                raise rnnbench.DataError(
                    f"{file}: what is read of a picture is {list(album.given.shape[1:])} numbers, "
                    f"but {list(expected)} in training; expected the same: make features with the "
                    "same network, or give the `side` to which pictures are brought"
                )

    @cached_property
    def _files(self) -> dict[Part, AlbumFiles]:
        named = {
            "train": (self.data, self.images, self.features),
            "valid": (self.valid, self.valid_images, self.valid_features),
            "test": (self.test, self.test_images, self.test_features),
        }
        for part, (captions, *others) in named.items():
            if any(others) and not captions:
                raise rnnbench.DataError(
                    f"{next(filter(None, others))}: pictures need captions; set "
                    f"`{'data' if part == 'train' else part}`"
                )
        if not self.data and (self.valid or self.test):
            raise rnnbench.DataError(
                f"{self.valid or self.test}: held-out pictures need some for training; set `data`"
            )
        folder = self.images if self.images and Path(self.images).is_dir() else ""
        files: dict[Part, AlbumFiles] = {}
        for part in PARTS:
            captions, images, features = named[part]
            if captions:
                files[part] = AlbumFiles(*map(_path, (captions, images or folder, features)))
        with_features = {part for part, each in files.items() if each.features}
        if with_features and with_features != set(files):
            missing = next(part for part in files if part not in with_features)
            raise rnnbench.DataError(
                f"{files[missing].captions}: {TITLES[missing]} pictures without features, but "
                "others have some; give features of all, or of none"
            )
        return files

    def _drawn(self) -> Album:
        """Return drawn pictures, always the same."""
        task = Captioning()
        batch = task.batch(DRAWN, Generator().manual_seed(0))
        said = [words(task.targets.text(numbers)) for numbers in batch.targets.T.tolist()]
        pixels = (batch.inputs[0] * 255).round().byte()
        return Album([(caption,) for caption in said], pixels.numpy())

    def _texts(self, said: Tensor) -> list[str]:
        return [self.targets.text(numbers) for numbers in said.T.tolist()]

    def _bleu(self, said: Sequence[str]) -> float:
        """Score captions of the test as the metric does."""
        return _bleu(said, self._held_out["test"].references)


def _bleu(said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    return BLEU(force=True).corpus_score(said, list(zip_longest(*references))).score


def _text(caption: Words) -> str:
    return rnnbench.text_of(caption, "word")


def _path(name: str) -> Path | None:
    return Path(name) if name else None


def _summary(given: np.ndarray) -> Tensor:
    """Return few numbers a picture, by which two are compared: [count, width]."""
    if given.ndim == 3:
        return torch.from_numpy(given.mean(1, dtype=np.float32))
    # part by part: all pixels at once, as floating point, are a matter of gigabytes for large sets
    some = torch.from_numpy(given).split(PART)
    return torch.cat([adaptive_avg_pool2d(part.float(), GRID).flatten(1) for part in some])


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide captioned images."""
    return [CaptionedImages]
