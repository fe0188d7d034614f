"""Numbers in words and digits, read back by a parser of their own."""

import re

import pytest
import torch

from rnnbench.errors import DataError, OptionError
from rnnbench_tasks.number_words import SCRIPTS, digits, english, korean
from rnnbench_tasks.numerals import Numerals

MANY = [*range(1, 21_000), *range(21_000, 1_000_000, 997), 100_000, 110_000, 999_999]
TASKS = tuple(
    Numerals(read=read, write=write, below=below)
    for read in SCRIPTS
    for write in SCRIPTS
    for below in (1000, 30_000)
    if read != write
)
every_task = pytest.mark.parametrize(
    "task", TASKS, ids=lambda task: f"{task.read}-{task.write}-{task.below}"
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def from_english(text):
    """Read a number: a running group that hundred multiplies and thousand closes."""
    small = dict(
        zip(
            re.findall(
                r"\w+",
                "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
                "fifteen sixteen seventeen eighteen nineteen",
            ),
            range(1, 20),
            strict=True,
        )
    )
    tens = {"twen": 2, "thir": 3, "for": 4, "fif": 5, "six": 6, "seven": 7, "eigh": 8, "nine": 9}
    total = group = 0
    for word in text.split(" "):
        if word == "hundred":
            group *= 100
        elif word == "thousand":
            total, group = 1000 * group, 0
        else:
            group += small[word] if word in small else 10 * tens[word.removesuffix("ty")]
    return total + group


def from_korean(text):
    """Read a number: a digit waits for its unit, and 만 multiplies what was before it."""
    units = {"십": 10, "백": 100, "천": 1000}
    total = group = digit = 0
    for syllable in text:
        if syllable == "만":
            total, group, digit = 10_000 * ((group + digit) or 1), 0, 0
        elif syllable in units:
            group, digit = group + (digit or 1) * units[syllable], 0
        elif syllable != " ":
            digit = "영일이삼사오육칠팔구".index(syllable)
    return total + group + digit


PARSERS = {"english": from_english, "korean": from_korean, "digits": int}


@pytest.mark.parametrize(
    ("number", "in_english", "in_korean"),
    [
        (1, "one", "일"),
        (10, "ten", "십"),
        (11, "eleven", "십일"),
        (20, "twenty", "이십"),
        (45, "forty five", "사십오"),
        (100, "one hundred", "백"),
        (101, "one hundred one", "백일"),
        (1000, "one thousand", "천"),
        (1111, "one thousand one hundred eleven", "천백십일"),
        (9009, "nine thousand nine", "구천구"),
        (10_000, "ten thousand", "만"),
        (10_001, "ten thousand one", "만 일"),
        (12_345, "twelve thousand three hundred forty five", "만 이천삼백사십오"),
        (20_000, "twenty thousand", "이만"),
        (100_000, "one hundred thousand", "십만"),
        (110_000, "one hundred ten thousand", "십일만"),
        (230_018, "two hundred thirty thousand eighteen", "이십삼만 십팔"),
    ],
)
def test_numbers_are_written_as_people_do(number, in_english, in_korean):
    assert " ".join(english(number)) == in_english
    assert "".join(korean(number)) == in_korean
    assert "".join(digits(number)) == str(number)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_written_can_be_read_back(name):
    script = SCRIPTS[name]
    for number in MANY:
        written = script.write(number)
        assert PARSERS[name](script.between.join(written)) == number
        assert set(written) <= set(script.symbols)


def test_korean_never_says_one_before_a_unit():
    for number in MANY:
        text = "".join(korean(number))
        assert not re.search("일[십백천]", text)
        assert not text.startswith("일만")
        assert text == text.strip()
        assert (" " in text) == (number > 10_000 and number % 10_000 > 0)


def rows(task, batch):
    """Read a batch as text: (given, answer)."""
    between, symbols = task.inputs.between, task.inputs.symbols
    given = [
        between.join(symbols[number] for number in column[:length])
        for column, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    ]
    answers = [task.targets.text(column) for column in batch.targets.T.tolist()]
    return list(zip(given, answers, strict=True))


def exact(said, batch):
    return (said == batch.targets).all(0).double().mean().item()


@every_task
def test_training_batches_have_the_declared_shapes(task):
    for seed in range(3):
        batch = task.batch(64, seeded(seed))
        assert batch.inputs.shape == (task.sequence_length, 64)
        assert batch.targets.shape == (task.target_length, 64)
        assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
        assert batch.lengths.min() >= 1
        assert batch.inputs.max() < task.inputs.vocabulary == len(task.inputs.symbols)
        assert (batch.targets[-1] == task.targets.end).all()


@every_task
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_both_sides_name_the_same_number(task, part):
    batch = task.batch(500, seeded(1)) if part == "train" else task.held_out(part, seeded(1))
    for given, answer in rows(task, batch):
        number = PARSERS[task.read](given)
        assert number == PARSERS[task.write](answer)
        assert 0 < number < task.below


@every_task
def test_no_number_is_in_two_parts(task):
    train = {given for given, _ in rows(task, task.batch(5000, seeded(2)))}
    valid, test = (
        {given for given, _ in rows(task, task.held_out(split, seeded(3)))}
        for split in ("valid", "test")
    )
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_a_number_is_in_the_same_part_whatever_it_is_written_in():
    one, other = (
        Numerals(read=read, write=write, below=2000).held_out("test", seeded(0))
        for read, write in (("english", "korean"), ("digits", "english"))
    )
    numbers = [
        {PARSERS[read](given) for given, _ in rows(Numerals(read=read, write=write), batch)}
        for read, write, batch in (("english", "korean", one), ("digits", "english", other))
    ]
    assert numbers[0] == numbers[1]


def test_logarithms_are_uniform_so_that_short_numbers_are_frequent():
    task = Numerals(read="digits", write="korean", below=100_000)
    counts = task.batch(5000, seeded(0)).lengths.bincount(minlength=6)[1:].double() / 5000
    # of the shares 1 : 1 : 1 : 1 : 1, training has 1 : 1 : 0.8 : 0.8 : 0.8
    assert counts.tolist() == pytest.approx([0.227, 0.227, 0.182, 0.182, 0.182], abs=0.03)


def test_small_numbers_are_all_trained_on():
    task = Numerals(read="digits", write="korean", below=100_000)
    seen = {given for given, _ in rows(task, task.batch(5000, seeded(0)))}
    assert set(map(str, range(1, 100))) <= seen
    for split in ("valid", "test"):
        assert task.held_out(split, seeded(0)).lengths.min() == 3


def test_every_number_can_be_drawn():
    task = Numerals(read="digits", write="korean", below=1000)
    assert set(task.drawn("train", 200_000, seeded(0))[0].tolist()) == set(range(1, 1000))


def test_the_vocabulary_has_what_numbers_so_small_need():
    small = Numerals(read="korean", write="english", below=1000)
    assert set(small.inputs.symbols) == set("일이삼사오육칠팔구십백")
    assert "hundred" in small.targets.symbols
    assert "thousand" not in small.targets.symbols
    assert " " not in Numerals(read="korean", write="english", below=10_001).inputs.symbols
    assert " " in Numerals(read="korean", write="english", below=10_002).inputs.symbols


@every_task
def test_anchors_are_what_the_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert exact(task.trivial(test), test) == task.anchors.trivial == 0
    assert exact(task.oracle(test), test) == task.anchors.oracle == 1.0
    assert 0 < task.anchors.chance < 0.01


@every_task
def test_paths_are_no_longer_with_two_directions(task):
    assert 1 < task.shortest_path(True) <= task.shortest_path(False) < task.sequence_length + 8


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_read_must_not_be_what_is_written(script):
    for ask in (
        lambda task: task.sequence_length,
        lambda task: task.anchors,
        lambda task: task.batch(2, seeded(0)),
    ):
        with pytest.raises(DataError, match=f"both {script}") as caught:
            ask(Numerals(read=script, write=script))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chosen", [{"read": "german"}, {"below": 999}, {"below": 1_000_001}])
def test_values_out_of_range_are_refused(chosen):
    with pytest.raises(OptionError):
        Numerals(**chosen)
