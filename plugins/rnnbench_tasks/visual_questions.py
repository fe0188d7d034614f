"""Questions about pictures from files: easy-VQA, or a collection of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

import rnnbench
from rnnbench_tasks import coloured_objects
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.galleries import Gallery, GalleryFiles
from rnnbench_tasks.nearest import nearest, share
from rnnbench_tasks.object_questions import ANSWERS, KINDS, Questions
from rnnbench_tasks.parts import PARTS, SHARES, TITLES, Part, overlaps
from rnnbench_tasks.question_files import Question, answer_type, beginning, read_questions
from rnnbench_tasks.question_prefixes import Prefixes

FILTERS = (16, 32, 32)
WIDEST = 8
"""So many rows or columns of places a picture has at most; larger ones get more convolutions."""

BEGINNINGS = 12
"""How many beginnings of questions are kinds of their own: the most frequent in training."""

GRID = 8
"""Pictures look alike if their colours do in a grid of so many rows and columns."""

KNOWN = 10_000
"""Among so many training pictures the nearest is sought."""

DRAWN, OBJECTS = 400, 3
"""How many pictures are drawn where no file is given, of how many objects."""

SEED = 0
"""What they are drawn with."""

MOST_BYTES = 2**31
"""What the pictures of a held-out part may take, one a question."""


@dataclass(frozen=True)
class Asked:
    """Questions about pictures of a gallery."""

    questions: Sequence[Question]
    gallery: Gallery

    @property
    def rows(self) -> list[int]:
        """The row in the gallery of what each is about."""
        return [self.gallery.rows[each.picture] for each in self.questions]

    def choose(self, rows: Sequence[int]) -> Asked:
        """Return the questions of these numbers."""
        return Asked([self.questions[row] for row in rows], self.gallery)


class VisualQuestions(rnnbench.Task):
    """Answer a question about a picture, in one of the answers that are frequent in training.

        picture  a red circle on a dark ground, 32 × 32 pixels
        input    is there not a red shape ?
        target   no

    `data` names questions as easy-VQA has them, a JSON list of [question, answer, picture], where
    a picture is the number of a row of an array (.npz, .npy) or the name of an image file of a
    folder, without its ending; `images` names the folder or the array. Instead of the pictures a
    network may be given `features` of them, made beforehand by another network, with a row for
    each. 80 % of the pictures are for training, 10 % for validation and 10 % for the test, each
    with all of its questions, unless `valid` or `test` name questions of their own. Without files,
    there are drawn pictures of three objects with the questions of `sort_of_clevr`, which draws
    them without end.

    The classes are the `answers` most frequent in training (Antol et al. 2015): training questions
    with others are left out, held-out ones stay and cannot be answered rightly. Questions are read
    word by word, in small letters; punctuation marks are words.

    Not causal: the answer is due after the last word, so reading backwards is fair.
    """

    name = "visual_questions"
    reference = "Antol et al. 2015, arXiv:1505.00468; easy-VQA: github.com/vzhou842/easy-VQA"
    options = {
        "data": rnnbench.Option("", file=True, help="questions; none: drawn pictures"),
        "images": rnnbench.Option("", file=True, help="folder, or array of pictures"),
        "features": rnnbench.Option("", file=True, help="features to look at instead of pictures"),
        "valid": rnnbench.Option(
            "", file=True, help="questions for validation; none: part of data"
        ),
        "valid_images": rnnbench.Option("", file=True, help="their pictures; none: `images`"),
        "valid_features": rnnbench.Option("", file=True, help="their features; none: `features`"),
        "test": rnnbench.Option("", file=True, help="questions for the test; none: part of data"),
        "test_images": rnnbench.Option("", file=True, help="their pictures; none: `images`"),
        "test_features": rnnbench.Option("", file=True, help="their features; none: `features`"),
        "answers": rnnbench.Option(1000, low=2, help="most answers, the most frequent in training"),
        "most": rnnbench.Option(0, low=0, help="most questions of a held-out part; 0: all of them"),
        "side": rnnbench.Option(
            32, low=0, high=512, help="pixels to which pictures are squeezed; 0: they are not"
        ),
        "limit": rnnbench.Option(
            0, low=0, help="most words of a question, the first; 0: as the longest in training"
        ),
        "embedding": rnnbench.Option(32, low=0, help="width of a word's vector; 0: one-hot"),
        "width": rnnbench.Option(64, low=1, help="width of the vector that is seen of a picture"),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    images: str
    features: str
    valid: str
    valid_images: str
    valid_features: str
    test: str
    test_images: str
    test_features: str
    answers: int
    most: int
    side: int
    limit: int
    embedding: int
    width: int

    @property
    def sequence_length(self) -> int:
        """The words of the longest question for training, but no more than the limit."""
        longest = max(len(each.words) for each in self._trained.questions)
        return min(self.limit or longest, longest)

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The words of training; number 0 stands for all others."""
        words = self._vocabulary.symbols
        return rnnbench.Tokens(len(words), self.embedding or None, words, " ")

    @cached_property
    def image(self) -> rnnbench.Images | rnnbench.Features:
        """The pictures, or features of them."""
        shape = self._trained.gallery.given.shape[1:]
        if self._trained.gallery.features is not None:
            return rnnbench.Features(*shape, embedding=self.width)
        filters = FILTERS
        while max(rnnbench.Images(*shape, filters).grid) > WIDEST:
            filters = (*filters, filters[-1])
        return rnnbench.Images(*shape, filters, self.width)

    @cached_property
    def targets(self) -> rnnbench.Classes:
        """The answers, the most frequent first."""
        return rnnbench.Classes(len(self._answers), self._answers)

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, the most frequent answer, and what is known without one of the two.

        question only: the most frequent training answer to the question, or to the longest
        beginning of it that training has. image only: the most frequent answer about the training
        picture that is most alike. Solved is what the best of them reaches.
        """
        test = self._held_out["test"]
        majority = _accuracy(self.trivial(test), test)
        floors = {
            "majority": majority,
            "question only": _accuracy(self.question_only(test), test),
            "image only, nearest picture": _accuracy(self.image_only(test), test),
        }
        return rnnbench.Anchors(
            chance=1 / self.targets.count,
            trivial=majority,
            oracle=None,
            solved=max(floors.values()),
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest word is from the end, on average: any may count.

        With two directions that is one in the middle.
        """
        last = self._train.lengths - 1
        return (last // 2 if bidirectional else last).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training questions, all different unless there are fewer than `size`.

        inputs [steps, size], lengths [size], targets [size]; images [size, channels, height, width]
        or [size, places, depth]
        """
        drawn = self._train.draw(size, generator, self.pattern)
        return replace(drawn, images=self._trained.gallery.seen(drawn.images))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all questions for validation or for the test."""
        return self._held_out[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the shares of answers in training: logits [batch, answers]."""
        seen = self._train.targets.bincount(minlength=self.targets.count) + 1
        return (seen / seen.sum()).log().to(batch.inputs.device).repeat(len(batch), 1)

    def question_only(self, batch: rnnbench.Batch) -> Tensor:
        """Predict from the question, or its known beginning: logits [batch, answers]."""
        told = self._prefixes.likely(_sequences(batch))
        return self._certain(told, batch)

    def image_only(self, batch: rnnbench.Batch) -> Tensor:
        """Predict from the most similar training picture: logits [batch, answers]."""
        rows, frequent = self._frequent
        known = _summary(self._trained.gallery.seen(rows))
        return self._certain(nearest(_summary(batch.images).cpu(), known, frequent), batch)

    @property
    def notes(self) -> tuple[str, ...]:
        """How questions were split and left out, and what training does not know of the others."""
        return tuple(self._noted())

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out pictures another part has too."""
        looks = {
            part: asked.gallery.hashes(dict.fromkeys(asked.rows))
            for part, asked in self._parts.items()
        }
        return tuple(overlaps(looks, "pictures"))

    def _noted(self) -> Iterator[str]:
        counts = [
            f"{len(asked.questions):,} {TITLES[part]} questions about "
            f"{len(set(asked.rows)):,} pictures"
            for part, asked in self._parts.items()
        ]
        dealt = [TITLES[part] for part in PARTS if part not in self._files]
        origin = f"; {' and '.join(dealt)} dealt from `data` by picture" if dealt else ""
        yield ", ".join(counts) + (origin if self.data else ", drawn and dealt by picture")
        if self.images and self.side:
            yield f"pictures are brought to {self.side} × {self.side} pixels (`side`)"
        whole, kept = self._parts["train"].questions, self._trained.questions
        if len(kept) < len(whole):
            yield (
                f"{len(whole) - len(kept):,} training questions left out: their answers are not "
                f"among the {self.targets.count} most frequent"
            )
        cut = sum(len(each.words) > self.limit > 0 for each in kept)
        if cut:
            yield f"{cut:,} training questions cut to their first {self.limit} words"
        for split, asked in self._examined.items():
            yield from self._strange(split, asked)

    def _strange(self, split: rnnbench.Split, asked: Asked) -> Iterator[str]:
        """Count what is not asked of a held-out part, and what training does not know of it."""
        count, whole = len(asked.questions), len(self._parts[split].questions)
        if count < whole:
            yield f"{count:,} of {whole:,} {TITLES[split]} questions are asked, evenly spread"
        unseen = sum(each.answer not in self._answers for each in asked.questions)
        if unseen:
            yield (
                f"{unseen:,} of {count:,} {TITLES[split]} questions have an answer that is not "
                f"among the {self.targets.count} classes: no prediction of them is right"
            )
        words = [word for each in asked.questions for word in each.words]
        unknown = sum(number == 0 for number in self._vocabulary.encode(words))
        if unknown:
            part = unknown / len(words)
            yield f"{part:.2%} of the words of {TITLES[split]} questions are unknown"

    @cached_property
    def _held_out(self) -> dict[rnnbench.Split, rnnbench.Batch]:
        often = Counter(beginning(each.words) for each in self._trained.questions)
        known = {begun for begun, _ in often.most_common(BEGINNINGS)}
        batches: dict[rnnbench.Split, rnnbench.Batch] = {}
        for split, asked in self._examined.items():
            gallery = asked.gallery
            size = 4 * len(asked.questions) * gallery.given[0].size
            if size > MOST_BYTES:
                raise rnnbench.DataError(
                    f"{self._file(split)}: the pictures of {len(asked.questions):,} "
                    f"{TITLES[split]} questions take {size / 2**30:.1f} GiB; ask fewer with "
                    "`most`, or look at smaller pictures with `side`"
                )
            kinds = []
            for each in asked.questions:
                begun = beginning(each.words)
                kinds.append((answer_type(each.answer), *([f"{begun} …"] * (begun in known))))
            numbered = self._numbered(asked)
            batches[split] = replace(
                numbered,
                images=gallery.seen(numbered.images),
                kinds=tuple(kinds),
                pictures=gallery.shown(numbered.images),
            )
        return batches

    @cached_property
    def _train(self) -> rnnbench.Batch:
        return self._numbered(self._trained)

    def _numbered(self, asked: Asked) -> rnnbench.Batch:
        """Put questions in numbers; `images` are the rows of the gallery, [questions] int64."""
        most = self.limit or None
        words = [
            torch.tensor(self._vocabulary.encode(each.words[:most])) for each in asked.questions
        ]
        inputs, lengths = rnnbench.pad(words, max(map(len, words)))
        numbers = {answer: number for number, answer in enumerate(self._answers)}
        targets = torch.tensor([numbers.get(each.answer, -1) for each in asked.questions])
        return rnnbench.Batch(inputs, targets, lengths, images=torch.tensor(asked.rows))

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        most = self.limit or None
        return rnnbench.Vocabulary.of(each.words[:most] for each in self._trained.questions)

    @cached_property
    def _prefixes(self) -> Prefixes:
        return Prefixes(_sequences(self._train), self._train.targets.tolist())

    @cached_property
    def _frequent(self) -> tuple[Tensor, Tensor]:
        """Return training pictures, by row, and the most frequent answer about each."""
        rows, place = torch.unique(self._train.images, return_inverse=True)
        counts = torch.zeros(len(rows), self.targets.count, dtype=torch.int64)
        counts.index_put_((place, self._train.targets), torch.tensor(1), accumulate=True)
        return rows[:KNOWN], counts[:KNOWN].argmax(1)

    def _certain(self, answers: Tensor, batch: rnnbench.Batch) -> Tensor:
        logits = CERTAIN * one_hot(answers, self.targets.count).float()
        return logits.to(batch.inputs.device)

    @cached_property
    def _answers(self) -> tuple[str, ...]:
        counts = Counter(each.answer for each in self._parts["train"].questions)
        if len(counts) < 2:
            raise rnnbench.DataError(
                f"{self.data}: every question for training has the answer "
                f"`{next(iter(counts))}`; expected at least two answers"
            )
        ordered = sorted(counts, key=lambda answer: (-counts[answer], answer))
        return tuple(ordered[: self.answers])

    @cached_property
    def _trained(self) -> Asked:
        """The training questions whose answers are classes."""
        train, known = self._parts["train"], set(self._answers)
        return train.choose(
            [row for row, each in enumerate(train.questions) if each.answer in known]
        )

    @cached_property
    def _examined(self) -> dict[rnnbench.Split, Asked]:
        """The held-out questions that are asked."""
        parts: dict[rnnbench.Split, Asked] = {}
        for split in ("valid", "test"):
            asked = self._parts[split]
            count = len(asked.questions)
            chosen = min(self.most or count, count)
            parts[split] = asked.choose([row * count // chosen for row in range(chosen)])
        return parts

    @cached_property
    def _parts(self) -> dict[Part, Asked]:
        """Read the files that are given, and deal the parts that have none from `data`."""
        given = {part: self._read(part) for part in self._files} or {"train": _drawn()}
        missing = [part for part in PARTS if part == "train" or part not in given]
        whole = sum(SHARES[part] for part in missing)
        train = given["train"]
        by_picture: dict[str, list[int]] = {}
        for row, each in enumerate(train.questions):
            by_picture.setdefault(each.picture, []).append(row)
        if len(by_picture) < len(missing):
            raise rnnbench.DataError(
                f"{self.data}: questions about {len(by_picture)} pictures cannot be dealt into "
                f"{' and '.join(TITLES[part] for part in missing)} parts; give more pictures"
            )
        groups = list(by_picture.values())
        dealt = rnnbench.deal(len(groups), {part: SHARES[part] / whole for part in missing})
        for part, chosen in dealt.items():
            given[part] = train.choose([row for number in chosen for row in groups[number]])
        self._check(given)
        return {part: given[part] for part in PARTS}

    def _check(self, parts: dict[Part, Asked]) -> None:
        """Refuse parts whose pictures have other shapes than those of training."""
        expected = parts["train"].gallery.given.shape[1:]
        for part, asked in parts.items():
            shape = asked.gallery.given.shape[1:]
            if shape != expected:
                raise rnnbench.DataError(
                    f"{self._file(part)}: what is seen of a picture is {list(shape)} numbers, but "
                    f"{list(expected)} in training; expected the same: make features with the same "
                    "network, or give the `side` to which pictures are squeezed"
                )

    def _read(self, part: Part) -> Asked:
        """Read the questions of a part and the pictures that they are about."""
        path = Path(self._files[part])
        questions = read_questions(path)
        images, features = {
            "train": (self.images, self.features),
            "valid": (self.valid_images, self.valid_features),
            "test": (self.test_images, self.test_features),
        }[part]
        if not (images or features):
            images, features = self.images, self.features
        files = GalleryFiles(*(Path(name) if name else None for name in (images, features)))
        return Asked(questions, files.read((each.picture for each in questions), self.side, path))

    @cached_property
    def _files(self) -> dict[Part, str]:
        """The files of questions that are given."""
        files: dict[Part, str] = {"train": self.data, "valid": self.valid, "test": self.test}
        if not self.data:
            for given in (self.valid, self.test, self.images, self.features):
                if given:
                    raise rnnbench.DataError(
                        f"{given}: there are no questions to train on; set `data`"
                    )
        return {part: path for part, path in files.items() if path}

    def _file(self, part: Part) -> str:
        """Return the file that the questions of a part are from."""
        return self._files.get(part, self.data)


def _drawn() -> Asked:
    """Draw pictures, and ask every question about each."""
    scenes = coloured_objects.drawn(2 * DRAWN, OBJECTS, 32, Generator().manual_seed(SEED))
    asked = Questions(KINDS, OBJECTS)
    answers = asked.answers(scenes)[:, :DRAWN]
    questions = [
        Question(tuple(text.split()), ANSWERS[answer], str(picture))
        for picture, told in enumerate(answers.T.tolist())
        for text, answer in zip(asked.texts, told, strict=True)
    ]
    pixels = (255 * coloured_objects.pictures(scenes)[:DRAWN]).round().to(torch.uint8).numpy()
    return Asked(questions, Gallery({str(row): row for row in range(DRAWN)}, pixels))


def _sequences(batch: rnnbench.Batch) -> list[list[int]]:
    """Return questions without their padding."""
    columns = zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    return [numbers[:length] for numbers, length in columns]


def _summary(given: Tensor) -> Tensor:
    """Return few numbers a picture, by which two are compared: [count, width]."""
    return given.mean(1) if given.ndim == 3 else adaptive_avg_pool2d(given, GRID).flatten(1)


def _accuracy(logits: Tensor, batch: rnnbench.Batch) -> float:
    return share(logits.argmax(-1) == batch.targets)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide questions about pictures."""
    return [VisualQuestions]
