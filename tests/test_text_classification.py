import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnbench import Batch, DataError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_metrics.cross_entropy import CrossEntropy
from rnnbench_tasks.naive_bayes import NaiveBayes
from rnnbench_tasks.opinions import HELD_OUT, LANGUAGES, LEXICONS, opinions, verdict
from rnnbench_tasks.text_classification import TextClassification

REAL = Path(os.environ.get("RNNBENCH_DATA", "absent"))
real_data = pytest.mark.skipif(
    not (REAL / "sentiment").is_dir(), reason="RNNBENCH_DATA names no folder with sentiment data"
)
GENERATED = [
    {"language": language, "unit": unit} for language in LANGUAGES for unit in ("word", "character")
]
generated = pytest.mark.parametrize(
    "chosen", GENERATED, ids=lambda chosen: "-".join(chosen.values())
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, None)


def sequences(batch):
    return [
        tuple(column[:length])
        for column, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    ]


def read(task, batch):
    """Return the texts of a batch as a reader would see them, with their classes."""
    texts = []
    for numbers, target in zip(sequences(batch), batch.targets.tolist(), strict=True):
        texts.append((" ".join(task._vocabulary.decode(numbers)), target))
    return texts


@pytest.fixture
def table(tmp_path):
    """Write a file and return its name."""

    def write(content, name="texts.tsv", encoding="utf-8"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode(encoding)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write


def rows(count, separator="\t"):
    """Different texts, every third of them sad."""
    kinds = [("sad", "no"), ("merry", "yes"), ("merry", "yes")]
    told = [(n, *kinds[n % 3]) for n in range(count)]
    return "".join(f"text {n} is {mood}{separator}{label}\n" for n, mood, label in told)


def refused(**chosen):
    with pytest.raises(DataError) as error:
        TextClassification(**chosen).anchors  # noqa: B018  reading the data is the test
    message = str(error.value)
    assert "\n" not in message
    return message


@generated
def test_batches_have_the_declared_shapes(chosen):
    task = TextClassification(**chosen)
    batch = task.batch(32, seeded(0))
    assert batch.inputs.shape == (task.sequence_length, 32)
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert 0 < batch.inputs.max() < task.inputs.vocabulary
    assert 1 <= batch.lengths.min() <= batch.lengths.max() <= task.sequence_length
    assert set(batch.targets.tolist()) == {0, 1}
    beyond = torch.arange(task.sequence_length).unsqueeze(1) >= batch.lengths
    assert (batch.inputs[beyond] == 0).all()


def test_a_seed_decides_the_batch_and_leaves_the_global_generators_alone():
    task = TextClassification()
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_a_training_batch_holds_different_texts_as_long_as_there_are_enough(table):
    task = TextClassification(data=table(rows(20)))
    batch = task.batch(16, seeded(0))
    assert len(set(sequences(batch))) == 16
    assert task.batch(64, seeded(0)).inputs.shape == (task.sequence_length, 64)


@pytest.mark.parametrize("chosen", [{"limit": 4}, {"vocabulary": 20}])
def test_what_is_not_read_as_it_stands_has_no_oracle(chosen):
    task = TextClassification(**chosen)
    assert task.anchors.oracle is None
    assert task.oracle(task.batch(2, seeded(0))) is None


@generated
def test_anchors_are_what_the_predictors_measure(chosen):
    task = TextClassification(**chosen)
    test = task.held_out("test", seeded(0))
    blind = Batch(test.inputs, torch.zeros_like(test.targets), test.lengths)
    assert accuracy(task.oracle(blind), test) == task.anchors.oracle == 1.0
    assert accuracy(task.trivial(blind), test) == task.anchors.trivial == 0.5
    assert task.anchors.floors["majority"] == task.anchors.trivial
    assert task.anchors.chance == 0.5
    assert task.anchors.solved == 0.95
    loss = CrossEntropy().measure(task.trivial(test), test.targets, None)
    assert loss == pytest.approx(np.log(2))


@generated
def test_counting_symbols_is_better_than_guessing_and_far_from_the_rule(chosen):
    naive_bayes = TextClassification(**chosen).anchors.floors["naive_bayes"]
    assert 0.55 < naive_bayes < 0.85


@pytest.mark.parametrize("language", LANGUAGES)
def test_opinions_are_balanced_and_new_in_every_part(language):
    parts = opinions(language, 30)
    patterns = len(LEXICONS[language].patterns)
    for part, pairs in parts.items():
        assert Counter(label for _, label in pairs) == dict.fromkeys(
            ("negative", "positive"), {"train": 30, **HELD_OUT}[part] * patterns
        )
        assert len({text for text, _ in pairs}) == len(pairs)
    texts = [{text for text, _ in pairs} for pairs in parts.values()]
    assert not (texts[0] & texts[1] | texts[0] & texts[2] | texts[1] & texts[2])


def test_fewer_opinions_to_train_on_are_some_of_those_of_more_and_all_are_read_whole():
    few, many = (opinions("english", each) for each in (3, 30))
    assert set(few["train"]) < set(many["train"])
    assert few["test"] == many["test"]
    task = TextClassification(each=3, unit="character")
    assert len(task.batch(1, seeded(0)).inputs) >= len(task.held_out("test", seeded(0)).inputs)
    assert not any("beginning is not read" in note for note in task.notes)


def test_what_is_said_of_a_subject_in_the_test_is_new():
    def said(part):
        return {
            text.removesuffix(".")
            for text, _ in opinions("english", 200)[part]
            if len(text.split()) == 4  # the plot is good
        }

    assert said("test")
    assert not said("test") & said("train")


@pytest.mark.parametrize(
    ("language", "text", "label"),
    [
        ("english", "The plot is dull.", "negative"),
        ("english", "The plot is not bad at all.", "positive"),
        ("english", "The plot is bad, not good.", "negative"),
        ("english", "The plot is good, not bad.", "positive"),
        ("english", "The plot is flat but the cast is wonderful.", "positive"),
        ("english", "The cast is wonderful but the plot is flat.", "negative"),
        ("english", "The plot is not flat but the cast is not funny.", "negative"),
        ("english", "Although the cast is funny, the plot is flat.", "negative"),
        ("english", "The cast is funny, although the plot is flat.", "positive"),
        ("korean", "연기는 지루하다.", "negative"),
        ("korean", "연기는 지루하지 않다.", "positive"),
        ("korean", "연기는 지루하지 않고 좋다.", "positive"),
        ("korean", "연기는 지루하지만 음악은 좋다.", "positive"),
        ("korean", "음악은 좋다, 연기는 지루하지만.", "positive"),
        ("korean", "음악은 좋다. 하지만 연기는 지루하다.", "negative"),
        ("korean", "음악은 좋다. 하지만 연기는 안 좋다.", "negative"),
        ("english", "nothing is known of this", "negative"),
        ("korean", "모르겠다", "negative"),
    ],
)
def test_the_rule_reads_negation_and_contrast(language, text, label):
    assert verdict(text, language) == label


def test_the_same_words_in_another_order_mean_the_opposite():
    task = TextClassification()
    bags = {}
    for numbers, target in zip(
        sequences(task.held_out("test", seeded(0))),
        task.held_out("test", seeded(0)).targets.tolist(),
        strict=True,
    ):
        # the rule looks at which words praise, not at which they are
        words = task._vocabulary.decode(numbers)
        kinds = ["+" if word in LEXICONS["english"].praise else word for word in words]
        kinds = ["-" if word in LEXICONS["english"].against else word for word in kinds]
        kinds = ["." if word in LEXICONS["english"].subjects else word for word in kinds]
        bags.setdefault(tuple(sorted(kinds)), []).append(target)
    best = sum(max(Counter(targets).values()) for targets in bags.values())
    assert best / 960 == pytest.approx(0.75, abs=0.02)


def test_paths_lead_from_the_farthest_symbol_to_the_read_out(table):
    task = TextClassification(data=table("".join(f"1 2 3 4 {n}\ta\n{n}\tb\n" for n in range(9))))
    lengths = task.batch(100, seeded(0)).lengths
    assert set(lengths.tolist()) <= {1, 5}
    assert task.shortest_path(False) == pytest.approx(2 * task.shortest_path(True))


def test_a_file_is_dealt_by_its_different_texts(table):
    twice = rows(100) * 2
    task = TextClassification(data=table(twice))
    parts = [{text.symbols for text in texts} for texts in task._texts.values()]
    assert [len(part) for part in parts] == [80, 10, 10]
    assert len(set.union(*parts)) == 100
    assert task.notes[0] == (
        "160 training texts, 20 validation texts, 20 test texts; "
        "validation and test dealt from `data` by hash of the different texts"
    )


def test_a_test_table_is_the_test_part_and_validation_is_dealt_from_the_rest(table):
    data, test = table(rows(100)), table(rows(9), "test.tsv")
    task = TextClassification(data=data, test=test)
    assert len(task.held_out("test", seeded(0))) == 9
    assert len(task.held_out("valid", seeded(0))) == 11
    assert task.leaks == (
        "7 of 9 test texts are also in the training part",
        "2 of 9 test texts are also in the validation part",
    )
    both = TextClassification(data=data, test=test, valid=table(rows(7), "valid.tsv"))
    assert len(both.held_out("valid", seeded(0))) == 7
    assert both.notes[0] == ("100 training texts, 7 validation texts, 9 test texts")
    alone = TextClassification(data=data, valid=table(rows(7), "valid.tsv"))
    assert len(alone.held_out("test", seeded(0))) == 11


@pytest.mark.parametrize(
    ("name", "content", "chosen"),
    [
        ("t.tsv", rows(30), {}),
        ("t.tsv.gz", rows(30), {}),
        ("t.csv", rows(30, ","), {}),
        ("t.csv.gz", rows(30, ","), {}),
        ("t.data", rows(30, ","), {}),
        ("t.data", rows(30), {}),
        ("t.csv", rows(30, ";"), {"separator": "semicolon"}),
        ("t.csv", rows(30, ";"), {}),
        ("t.data", rows(30, ";"), {}),
        ("t.csv", rows(30), {}),
        ("t.csv", rows(30, ","), {"separator": "comma"}),
        ("t.csv", "text,label\n" + rows(30, ","), {}),
        ("t.csv", "text,label\n" + rows(30, ","), {"header": "yes"}),
        ("t.csv", "text,label\n" + rows(30, ","), {"text": "text", "label": "label"}),
        ("t.csv", "text,label\n" + rows(30, ","), {"text": "text"}),
        ("t.tsv", "\n\n" + rows(30).replace("\n", "\r\n\r\n"), {}),
        ("t.tsv", "\ufeff" + rows(30), {}),
    ],
)
def test_tables_of_every_kind_are_read_alike(table, name, content, chosen):
    expected = TextClassification(data=table(rows(30), "expected.tsv"))
    task = TextClassification(data=table(content, name), **chosen)
    for split in ("valid", "test"):
        one, other = (made.held_out(split, seeded(0)) for made in (task, expected))
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def test_a_header_that_was_recognised_is_told(table):
    task = TextClassification(data=table("what,mood\n" + rows(30, ","), "t.csv"))
    assert "the first row of `data` is taken for a header: what, mood" in task.notes
    taken = TextClassification(data=table("what,mood\n" + rows(30, ","), "t.csv"), header="no")
    assert sum("header" in note for note in taken.notes) == 0
    assert sum(map(len, taken._texts.values())) == 31
    assert sum(map(len, task._texts.values())) == 30


def test_columns_are_found_by_number_wherever_they_are(table):
    flipped = "".join(
        "\t".join(["7", *reversed(line.split("\t"))]) + "\n" for line in rows(30).splitlines()
    )
    task = TextClassification(data=table(flipped), text="3", label="2")
    plain = TextClassification(data=table(rows(30), "plain.tsv"))
    assert read(task, task.held_out("test", seeded(0))) == read(
        plain, plain.held_out("test", seeded(0))
    )


def test_commas_and_line_ends_in_quotes_belong_to_the_text(table):
    quoted = "".join(f'"so, {n} ""things""\nhere",{n % 2}\n' for n in range(20))
    task = TextClassification(data=table(quoted, "t.csv"))
    text, _ = read(task, task.held_out("test", seeded(0)))[0]
    assert text.startswith("so , ")
    assert text.endswith('" things " \n here')


def test_a_quote_in_a_tab_separated_file_is_a_character(table):
    content = "".join(f'"so {n}\t{n % 2}\n' for n in range(20))
    task = TextClassification(data=table(content))
    assert all(text.startswith('" so') for text, _ in read(task, task.batch(5, seeded(0))))


def test_words_are_lower_cased_and_characters_are_not(table):
    data = table("".join(f"It's {n}, McDonald!\t{n % 2}\n" for n in range(20)))
    words = TextClassification(data=data)
    assert read(words, words.batch(1, seeded(0)))[0][0].startswith("it's ")
    characters = TextClassification(data=data, unit="character")
    assert "M c D o n a l d !" in read(characters, characters.batch(1, seeded(0)))[0][0]


def test_decomposed_korean_is_the_same_as_composed(table):
    import unicodedata

    composed = "".join(f"재미 {n}\t{n % 2}\n" for n in range(20))
    tasks = [
        TextClassification(data=table(text, name), unit="character")
        for name, text in (
            ("nfc.tsv", composed),
            ("nfd.tsv", unicodedata.normalize("NFD", composed)),
        )
    ]
    assert tasks[0].inputs == tasks[1].inputs
    assert tasks[0].sequence_length == tasks[1].sequence_length == 5


def test_a_text_beyond_the_limit_is_read_from_its_end(table):
    data = table("".join(f"a b c d e {n}\t{n % 2}\n" for n in range(20)))
    task = TextClassification(data=data, limit=3)
    assert task.sequence_length == 3
    assert read(task, task.batch(1, seeded(0)))[0][0].startswith("d e ")
    assert (
        "16 of 16 training texts have more than 3 symbols: their beginning is not read"
        in task.notes
    )
    assert TextClassification(data=data, limit=99).sequence_length == 6


def test_held_out_texts_are_cut_where_the_longest_of_training_ends(table):
    data = table(rows(30))
    long = " ".join(f"w{n}" for n in range(50_000))
    task = TextClassification(data=data, test=table(f"{long}\tyes\nshort\tno\n", "test.tsv"))
    assert task.held_out("test", seeded(0)).lengths.tolist() == [4, 1]
    assert any("1 of 2 test texts" in note for note in task.notes)


def test_one_very_long_text_is_read_and_a_limit_advised(table):
    long = " ".join(["word"] * 50_000)
    content = rows(200) + f"{long}\tyes\n"
    # whatever part the long text falls into, it is read or cut
    task = TextClassification(data=table(content), valid=table(rows(5), "v.tsv"),
                              test=table(rows(5), "t.tsv"))  # fmt: skip
    assert task.sequence_length == 50_000
    assert any("`limit: 4` would cut" in note for note in task.notes)


def test_a_vocabulary_keeps_the_frequent_symbols(table):
    task = TextClassification(data=table(rows(40)), vocabulary=3)
    assert task.inputs.vocabulary == 3
    assert task._vocabulary.symbols[0] == "<unk>"
    assert any("test symbols are unknown" in note for note in task.notes)


def test_embedding_none_is_one_hot(table):
    data = table(rows(40))
    assert TextClassification(data=data, embedding=0).inputs.embedding is None
    assert TextClassification(data=data).inputs.embedding == 32


def test_a_label_that_training_does_not_have_is_a_class_that_is_never_right(table):
    test = table("text 1 is odd\tmaybe\ntext 3 is sad\tno\n", "test.tsv")
    task = TextClassification(data=table(rows(60)), test=test)
    assert task.targets.count == 3
    assert task.held_out("test", seeded(0)).targets.tolist() == [2, 0]
    assert task.trivial(task.held_out("test", seeded(0))).argmax(1).tolist() == [1, 1]
    assert task.anchors.floors["naive_bayes"] == 0.5
    assert any("1 test texts have labels" in note and "maybe" in note for note in task.notes)


def test_the_oracle_of_a_file_is_unknown(table):
    task = TextClassification(data=table(rows(60)))
    assert task.anchors.oracle is None
    assert task.oracle(task.batch(2, seeded(0))) is None
    assert task.anchors.solved == max(task.anchors.floors.values())


def test_naive_bayes_is_what_one_can_work_out_by_hand():
    # class 0: a a, class 1: a b; numbers a = 1, b = 2
    train = Batch(torch.tensor([[1, 1], [1, 2]]), torch.tensor([0, 1]), torch.tensor([2, 2]))
    counting = NaiveBayes.of(train, 2, 3)
    test = Batch(torch.tensor([[1, 2, 0], [0, 2, 0]]), torch.zeros(3), torch.tensor([1, 2, 1]))
    expected = torch.tensor([[3 / 4, 2 / 4], [1 / 16, 4 / 16], [1, 1]]).double().log()
    assert torch.allclose(counting.logits(test), expected + np.log(0.5))


def test_naive_bayes_counts_neighbours_within_a_text_only():
    train = Batch(torch.tensor([[1, 2], [2, 1]]), torch.tensor([0, 1]), torch.tensor([2, 2]))
    assert NaiveBayes.of(train, 2, 3).grams.tolist() == [1, 2]
    counting = NaiveBayes.of(train, 2, 3, longest=2)
    assert len(counting.grams) == 4
    assert counting.logits(train).argmax(1).tolist() == [0, 1]


def test_an_empty_text_is_an_error_unless_it_is_to_be_skipped(table):
    data = table(rows(30) + "  \tyes\n" + rows(3))
    message = refused(data=data)
    assert message == (f"{data}:31: the text in column 1 is empty; give one, or set `empty: skip`")
    task = TextClassification(data=data, empty="skip")
    assert "1 rows without text were skipped in `data`" in task.notes


BAD = {
    "empty": ("", "t.tsv", {}, "the file is empty"),
    "cut off": (gzip.compress(b"text\tyes\n" * 99)[:-9], "t.tsv", {}, "damaged or cut off"),
    "encoding": ("좋다\t1\n".encode("cp949"), "t.tsv", {}, ":1: byte 0xc1 is not utf-8; set `en"),
    "no label": (rows(9) + "text\t\n", "t.tsv", {}, ":10: the label in column 2 is empty; give"),
    "short row": (rows(9) + "text\n", "t.tsv", {}, ":10: 1 cells where the first row has 2; cor"),
    "comma": (rows(9, ",") + "so, so,1\n", "t.csv", {}, ":10: 3 cells where the first row has 2"),
    "quote": (rows(9, ",") + '"open,1\n', "t.csv", {}, ":10: unexpected end of data; close ev"),
    "separator": (rows(9, ","), "t.tsv", {}, ":1: no column `2`: it has 1 columns and no header"),
    "number": (rows(9), "t.tsv", {"label": "3"}, "no column `3`: it has 2 columns and no header"),
    "zero": (rows(9), "t.tsv", {"label": "0"}, "no column `0`"),
    "name": ("a\tb\n" + rows(9), "t.tsv", {"label": "c"}, "no column `c`: its columns are a, b"),
    "no header": (rows(9), "t.tsv", {"label": "b", "header": "no"}, "no column `b`: it has 2 colu"),
    "same": (rows(9), "t.tsv", {"label": "1"}, "`text` and `label` are the same column"),
    "no rows": ("a\tb\n", "t.tsv", {"header": "yes"}, "there are no texts in it; expected one a"),
    "one class": ("a\tyes\nb\tyes\nc\tyes\nd\tyes\n", "t.tsv", {}, "has the label `yes`; expecte"),
    "numbers": (
        "".join(f"a\t{n}\n" for n in range(30)),
        "t.tsv",
        {},
        "29 different values in 29 r",
    ),
    "one text": ("same\tyes\nsame\tno\n" * 9, "t.tsv", {}, "1 different texts cannot be dealt"),
    "codec": (rows(9), "t.tsv", {"encoding": "utf-99"}, "no encoding is called `utf-99`"),
    "huge": (f"{'a' * 200_000},b\n" * 3, "t.csv", {}, ":1: a cell has more than 131,072 ch"),
}


@pytest.mark.parametrize(("content", "name", "chosen", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_its_reason(table, content, name, chosen, said):
    assert said in refused(data=table(content, name), **chosen)


def test_a_file_in_another_encoding_is_read(table):
    data = table("".join(f"좋다 {n}\t{n % 2}\n" for n in range(20)), encoding="cp949")
    task = TextClassification(data=data, encoding="cp949")
    assert read(task, task.batch(1, seeded(0)))[0][0].startswith("좋다")


def test_bad_held_out_files_are_refused_too(table):
    data = table("text\tlabel\n" + rows(30))
    assert "expected the header of the training file, text, label" in refused(
        data=data, test=table(rows(5), "test.tsv")
    )
    assert "no texts in it" in refused(data=data, test=table("text\tlabel\n", "empty.tsv"))


def test_held_out_texts_without_any_for_training_are_refused(table):
    assert "held-out texts need some for training; set `data`" in refused(test=table(rows(5)))


def test_a_held_out_file_that_is_not_there_is_refused(table, tmp_path):
    assert "cannot be read" in refused(data=table(rows(9)), test=str(tmp_path / "none.tsv"))


@real_data
def test_names_are_read_and_counting_beats_the_majority():
    task = TextClassification(data=str(REAL / "tagging/names18_train.tsv.gz"), unit="character")
    assert task.targets.count == 18
    assert sum(len(texts) for texts in task._texts.values()) == 14_422
    assert task.anchors.trivial == pytest.approx(0.516, abs=0.02)
    assert task.anchors.floors["naive_bayes"] > 0.7


@real_data
def test_sst2_has_the_published_size_and_floor():
    task = TextClassification(
        data=str(REAL / "sentiment/sst2_train.tsv.gz"), test=str(REAL / "sentiment/sst2_dev.tsv.gz")
    )
    assert len(task._texts["train"]) + len(task._texts["valid"]) == 6920
    assert len(task.held_out("test", seeded(0))) == 872
    assert task.anchors.floors["naive_bayes"] == pytest.approx(0.822, abs=0.03)


@real_data
def test_nsmc_has_the_published_size_and_floor():
    files = {
        "data": str(REAL / "sentiment/nsmc_train.tsv.gz"),
        "test": str(REAL / "sentiment/nsmc_val.tsv.gz"),
    }
    task = TextClassification(**files, text="document", label="label", unit="character")
    assert len(task._texts["train"]) + len(task._texts["valid"]) == 24_000
    assert task.anchors.trivial == 0.5
    assert task.anchors.floors["naive_bayes"] == pytest.approx(0.835, abs=0.03)
    assert "24,000 rows, too many to be labels" in refused(**files)
