import gzip
import os
from itertools import pairwise
from math import log2
from pathlib import Path

import numpy as np
import pluggy
import pytest
import torch

import rnnbench
from rnnbench import Batch, DataError, hookspecs
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_metrics.bits_per_symbol import BitsPerSymbol
from rnnbench_metrics.perplexity import Perplexity
from rnnbench_tasks import char_lm, prose
from rnnbench_tasks.char_lm import CharLM

GENERATED = CharLM()
HELLO = CharLM(text="hello")
DATA = os.environ.get("RNNBENCH_DATA")
real = pytest.mark.skipif(not DATA, reason="RNNBENCH_DATA names no folder with real data")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def bits(task, predictions, batch):
    lengths = batch.lengths
    steps = torch.arange(len(batch.inputs)).unsqueeze(1)
    mask = None if lengths is None else steps < lengths
    return BitsPerSymbol().measure(predictions, batch.targets, mask)


def text_of(task, numbers):
    return "".join(task._corpus.vocabulary.decode(numbers.tolist()))


def in_file(tmp_path, content, **chosen):
    path = tmp_path / "text.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return CharLM(data=str(path), **chosen)


def letters(count, kinds):
    draw = np.random.default_rng(0)
    return "".join(chr(97 + number) for number in draw.integers(kinds, size=count))


def test_the_module_provides_its_task_through_the_hook():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(char_lm)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[CharLM]]


def test_a_target_is_the_next_input():
    batch = GENERATED.batch(6, seeded(0))
    assert batch.inputs.shape == batch.targets.shape == (50, 6)
    assert batch.inputs.dtype == batch.targets.dtype == torch.int64
    assert torch.equal(batch.inputs[1:], batch.targets[:-1])
    assert batch.lengths is None


def test_training_sequences_are_windows_of_the_training_text():
    text = prose.text("train", 500_000)
    batch = CharLM(length=70).batch(20, seeded(1))
    for column in batch.inputs.T:
        assert text_of(GENERATED, column) in text


def test_every_window_of_the_training_part_can_be_drawn(tmp_path):
    task = in_file(tmp_path, "abcdefghij" * 4, length=33)
    drawn = task.batch(500, seeded(0)).inputs
    # the training part has 36 symbols, and so 3 windows of 33 and a target
    assert {text_of(task, column)[0] for column in drawn.T} == {"a", "b", "c"}


def test_a_seed_decides_the_batch_and_another_seed_another():
    first, same, other = (GENERATED.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_held_out_streams_are_the_same_for_every_seed_and_shared_by_no_split():
    valid, test = (GENERATED.held_out(split, seeded(1)) for split in ("valid", "test"))
    assert torch.equal(test.inputs, GENERATED.held_out("test", seeded(2)).inputs)
    assert (test.inputs.shape, valid.inputs.shape) == ((1024, 48), (1024, 16))
    columns = [tuple(column.tolist()) for batch in (valid, test) for column in batch.inputs.T]
    assert len(set(columns)) == 64
    text = prose.text("train", 500_000)
    assert not any(text_of(GENERATED, column[:200]) in text for column in test.inputs.T)


@pytest.mark.parametrize("size", [60, 2100, 40_000, 61_111])
def test_of_a_file_each_symbol_but_the_first_of_a_stream_is_scored_once(tmp_path, size):
    text = letters(size, kinds=4)
    task = in_file(tmp_path, text)
    for split, start, end in (("valid", 0.9, 0.95), ("test", 0.95, 1)):
        batch = task.held_out(split, seeded(0))
        lengths = [len(batch.inputs)] * len(batch) if batch.lengths is None else batch.lengths
        read = ""
        for place, length in enumerate(lengths):
            inputs, targets = batch.inputs[:length, place], batch.targets[:length, place]
            assert torch.equal(inputs[1:], targets[:-1])
            assert not batch.inputs[length:, place].any()
            read += text_of(task, inputs[:1]) + text_of(task, targets)
        assert read == text[int(size * start) : int(size * end)]
        assert len(batch.inputs) <= 1.5 * 1024
        assert min(lengths) >= max(1, len(batch.inputs) - 1)


def test_chance_is_every_symbol_alike():
    assert GENERATED.anchors.chance == pytest.approx(log2(len(prose.ALPHABET)))
    assert HELLO.anchors.chance == 2.0


@pytest.mark.parametrize("task", [GENERATED, HELLO], ids=["generated", "hello"])
def test_anchors_are_what_predictors_measure(task):
    batch = task.held_out("test", seeded(0))
    blind = Batch(batch.inputs, torch.zeros_like(batch.targets), batch.lengths)
    trivial, oracle = task.trivial(blind), task.oracle(blind)
    shape = (*batch.targets.shape, task.targets.count)
    assert trivial.shape == oracle.shape == shape
    assert trivial.dtype == oracle.dtype == torch.float32
    assert bits(task, trivial, batch) == pytest.approx(task.anchors.trivial, abs=1e-6)
    assert bits(task, oracle, batch) == pytest.approx(task.anchors.oracle, abs=1e-6)
    assert task.anchors.trivial == task.anchors.floors["unigram"]


def test_the_anchors_of_a_file_are_what_predictors_measure(tmp_path):
    task = in_file(tmp_path, prose.text("file", 30_000))
    batch = task.held_out("test", seeded(0))
    assert bits(task, task.trivial(batch), batch) == pytest.approx(task.anchors.trivial, abs=1e-6)
    assert task.oracle(batch) is None
    assert task.anchors.oracle is None
    assert task.anchors.solved == min(task.anchors.floors.values())


def test_the_grammar_is_far_beyond_what_n_grams_reach():
    anchors = GENERATED.anchors
    order = [anchors.floors[name] for name in ("unigram", "bigram", "trigram", "4-gram")]
    assert order == sorted(order, reverse=True)
    assert anchors.oracle < 0.6 * anchors.floors["4-gram"]
    assert anchors.oracle < anchors.solved < anchors.floors["4-gram"] < anchors.chance


def test_the_oracle_reads_windows_that_begin_in_the_middle_of_a_line():
    batch = CharLM(length=400).batch(8, seeded(0))
    found = bits(GENERATED, GENERATED.oracle(batch), batch)
    assert GENERATED.anchors.oracle < found < GENERATED.anchors.trivial


def test_hello_is_the_lectures_one_sequence():
    assert HELLO._corpus.vocabulary.symbols == ("h", "e", "l", "o")
    for batch in (HELLO.batch(3, seeded(0)), HELLO.held_out("test", seeded(0))):
        assert {text_of(HELLO, column) for column in batch.inputs.T} == {"hell"}
        assert {text_of(HELLO, column) for column in batch.targets.T} == {"ello"}
    assert HELLO.sequence_length == 4
    assert "memorising" in HELLO.leaks[0]
    assert HELLO.notes == ()
    assert HELLO.anchors.oracle == 0.0
    right = Accuracy().measure(HELLO.oracle(batch), batch.targets, None)
    assert right == 1.0


def test_words_are_symbols_too(tmp_path):
    task = in_file(tmp_path, "The cat sat. The dog sat.\n" * 40, unit="word", length=5)
    assert set(task._corpus.vocabulary.symbols) == {
        rnnbench.UNKNOWN, "The", "cat", "sat", ".", "dog", "\n",
    }  # fmt: skip
    assert task.batch(4, seeded(0)).inputs.shape == (5, 4)
    words = CharLM(unit="word", vocabulary=20)
    assert words.inputs.vocabulary == 20
    assert words.anchors.oracle is None
    assert words.oracle(words.batch(2, seeded(0))) is None
    assert "unknown" in words.notes[1]


def test_the_vocabulary_is_that_of_the_training_part(tmp_path):
    task = in_file(tmp_path, "ab" * 450 + "acaz" * 25)
    assert task._corpus.vocabulary.symbols == (rnnbench.UNKNOWN, "a", "b")
    assert task.targets.count == task.inputs.vocabulary == 3
    assert (task.held_out("test", seeded(0)).targets == 0).sum() == 25
    assert task.notes == (
        "cut in order: the first 900 characters are for training, the next 50 for validation, "
        "the last 50 for the test",
        "unknown, and to be predicted as one symbol: 25 validation characters (50.00%), "
        "25 test characters (50.00%); training has none to learn to expect them from",
    )


def test_a_vocabulary_can_be_cut(tmp_path):
    task = in_file(tmp_path, "aaab" * 200 + "c" * 10 + "aabb" * 20, vocabulary=2)
    assert task._corpus.vocabulary.symbols == (rnnbench.UNKNOWN, "a")
    assert "training characters" in task.notes[1]
    assert "to learn to expect" not in task.notes[1]


def test_symbols_are_one_hot_or_embedded():
    assert GENERATED.inputs == rnnbench.Tokens(len(prose.ALPHABET), None)
    assert CharLM(embedding=16).inputs == rnnbench.Tokens(len(prose.ALPHABET), 16)


def test_the_first_symbol_travels_through_half_a_sequence_on_average():
    assert GENERATED.shortest_path(False) == GENERATED.shortest_path(True) == 24.5
    assert CharLM(length=1).shortest_path(False) == 0


def test_compressed_files_line_ends_and_encodings_change_nothing(tmp_path):
    text = "Süß, sagt er.\nNein!\n" * 100
    plain = in_file(tmp_path, text)
    packed, other = tmp_path / "text.gz", tmp_path / "text.latin"
    packed.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode("utf-8-sig")))
    other.write_bytes(text.encode("latin-1"))
    for task in (CharLM(data=str(packed)), CharLM(data=str(other), encoding="latin-1")):
        assert np.array_equal(task._corpus.train, plain._corpus.train)
        assert task._corpus.vocabulary == plain._corpus.vocabulary


@pytest.mark.parametrize(
    ("content", "chosen", "message"),
    [
        (b"", {}, r"text\.txt: the file is empty"),
        (b" \n\n ", {}, r"text\.txt: the file is empty"),
        ("größe\n" * 99, {"encoding": "ascii"}, r"text\.txt:1: byte 0xc3 is not ascii"),
        ("one\ngröße".encode("latin-1") * 99, {}, r"text\.txt:2: byte 0xf6 is not utf-8"),
        ("abc" * 99, {"encoding": "utf-99"}, r"no encoding is called `utf-99`"),
        (b"abc\nab\0c" * 99, {}, r"text\.txt:2: a zero byte; expected a text"),
        ("abc\n".encode("utf-16-le") * 99, {}, r"text\.txt:1: a zero byte.*utf-16"),
        (gzip.compress(b"abc" * 999, mtime=0)[:-9], {}, r"gzip file is damaged or cut off"),
        ("a" * 999, {}, r"one kind of character only; expected at least two"),
        ("abc" * 999, {"vocabulary": 1}, r"one kind of character only.*larger `vocabulary`"),
        ("abcdefgh", {}, r"8 characters are too few; expected more than 50 in the first 90 %"),
        ("abcdefgh", {"length": 1}, r"8 characters are too few.*at least 2 in each half"),
        ("ab" * 300, {"length": 540}, r"600 characters are too few.*more than 540"),
        ("one two " * 20, {"unit": "word"}, r"40 words are too few"),
        ("abc" * 99, {"length": 50_000}, r"297 characters are too few"),
    ],
)
def test_a_file_that_does_not_fit_says_so_in_one_line(tmp_path, content, chosen, message):
    task = in_file(tmp_path, content, **chosen)
    with pytest.raises(DataError, match=message) as error:
        task.inputs  # noqa: B018  the access is the test
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_the_shortest_file_that_serves_is_read(tmp_path):
    task = in_file(tmp_path, "ab" * 300, length=539)
    assert task.batch(2, seeded(0)).inputs.shape == (539, 2)


def test_a_sequence_longer_than_the_generated_text_is_refused():
    with pytest.raises(DataError, match="500000 characters; make `length`, 600000, smaller"):
        CharLM(length=600_000).inputs  # noqa: B018  the access is the test


@pytest.mark.parametrize("chosen", [{"length": 0}, {"unit": "byte"}, {"text": "bye"}])
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(rnnbench.errors.OptionError):
        CharLM(**chosen)


def alphabet_after_alphabet(task):
    """A network that expects the next symbol of the vocabulary, and hears nothing but tokens."""

    def predict(inputs):
        predict.shapes.add(tuple(inputs.shape))
        following = (inputs + 1) % task.targets.count
        return 60.0 * torch.nn.functional.one_hot(following, task.targets.count).float()

    predict.shapes = set()
    return predict


def test_a_sample_goes_on_as_the_network_says(tmp_path):
    task = in_file(tmp_path, "".join(prose.ALPHABET) * 50)
    predict = alphabet_after_alphabet(task)
    said = task.samples(predict, seeded(0))
    assert list(said) == ["temperature 0.5", "temperature 1.0"]
    numbers = {symbol: number for number, symbol in enumerate(task._corpus.vocabulary.symbols)}
    for text in said.values():
        assert text[0] == "["
        begun, drawn = text[1:21], text[22:].replace(rnnbench.UNKNOWN, "\0")
        assert text[21] == "]"
        assert begun == text_of(task, task.held_out("valid", seeded(0)).inputs[:20, 0])
        assert len(drawn) == 200
        ordered = [numbers.get(symbol, 0) for symbol in begun[-1] + drawn]
        steps = {(b - a) % task.targets.count for a, b in pairwise(ordered)}
        assert steps == {1}
    assert predict.shapes == {(128, 2)}


def test_hello_is_said_by_a_network_that_knows_it():
    word = {"h": "e", "e": "l", "l": "l"}

    def predict(inputs):
        logits = torch.zeros(*inputs.shape, 4)
        for place in range(inputs.shape[1]):
            for step, symbol in enumerate(text_of(HELLO, inputs[:, place])):
                third = text_of(HELLO, inputs[: step + 1, place])[-2:] == "ll"
                following = "o" if third else word.get(symbol, "h")
                logits[step, place, "helo".index(following)] = 60.0
        return logits

    said = HELLO.samples(predict, seeded(0))
    assert said == {"temperature 0.5": "[h]ello", "temperature 1.0": "[h]ello"}


def test_samples_follow_the_generator_and_the_temperature():
    def predict(inputs):
        return torch.arange(40.0).div(10).expand(*inputs.shape, 40)

    first, same, other = (GENERATED.samples(predict, seeded(seed)) for seed in (1, 1, 2))
    assert first == same != other
    cold, hot = (len(set(first[f"temperature {t}"][22:])) for t in (0.5, 1.0))
    assert cold < hot


def test_a_network_that_is_broken_says_nothing():
    assert GENERATED.samples(lambda x: torch.full((*x.shape, 40), torch.nan), seeded(0)) == {}


def test_perplexity_of_the_oracle_is_two_to_its_bits():
    batch = GENERATED.held_out("test", seeded(0))
    value = Perplexity().measure(GENERATED.oracle(batch), batch.targets, None)
    assert value == pytest.approx(2**GENERATED.anchors.oracle)


@real
@pytest.mark.parametrize(
    ("name", "symbols", "published", "tolerance"),
    [
        # measured by other hands on the same split
        ("tinyshakespeare.txt.gz", 65, [4.850, 3.599, 3.019, 2.656], 0.02),
        # measured on the last tenth of the whole novel, of which the file has nine
        ("warpeace_first90.txt.gz", None, [4.421, 3.517, 2.820, 2.286], 0.1),
    ],
)
def test_the_floors_of_novels_are_the_known_ones(name, symbols, published, tolerance):
    task = CharLM(data=str(Path(DATA) / "charlm" / name))
    assert list(task.anchors.floors.values()) == pytest.approx(published, abs=tolerance)
    if symbols:
        # and the unknown one
        assert task.targets.count == symbols + 1
        assert "the first 1,003,854 characters" in task.notes[0]
