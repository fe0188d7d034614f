import gzip
import os
from pathlib import Path

import pytest
import torch

from rnnbench import DataError
from rnnbench.errors import OptionError
from rnnbench_metrics.bleu import Bleu
from rnnbench_metrics.chrf import Chrf
from rnnbench_tasks.nearest_text import nearest_texts
from rnnbench_tasks.translation import Translation

REAL = Path(os.environ.get("RNNBENCH_DATA", "absent")) / "mt"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason="RNNBENCH_DATA names no folder with mt")
PARTS = ("train", "valid", "test")
GENERATED = [
    Translation(sentences=2000),
    Translation(sentences=2000, source_unit="character", target_unit="character", embedding=0),
    Translation(sentences=2000, lowercase=False, target_unit="character"),
]
generated = pytest.mark.parametrize(
    "task", GENERATED, ids=["words", "characters", "as they are written"]
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def texts(task, said):
    return [task.targets.text(numbers) for numbers in said.T.tolist()]


def read(task, batch):
    """Return the sources of a batch as a reader would see them."""
    return [
        task.inputs.between.join(task.inputs.symbols[n] for n in column[:length])
        for column, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    ]


def chrf(task, said, batch):
    return Chrf().measure(texts(task, said), batch.references)


@pytest.fixture
def table(tmp_path):
    """Write a file and return its name."""

    def write(content, name="pairs.tsv", encoding="utf-8"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode(encoding)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write


def rows(count, separator="\t"):
    return "".join(f"I am {n}.{separator}Je suis {n}.\n" for n in range(count))


def refused(**chosen):
    with pytest.raises(DataError) as error:
        Translation(**chosen).anchors  # noqa: B018  reading the data is the test
    message = str(error.value)
    assert "\n" not in message
    return message


@generated
def test_training_batches_have_the_declared_shapes(task):
    batch = task.batch(64, seeded(0))
    assert batch.inputs.shape == (task.sequence_length, 64)
    assert batch.targets.shape == (task.target_length, 64)
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert batch.mask is None and batch.references is None
    assert 1 <= batch.lengths.min() <= batch.lengths.max() <= task.sequence_length
    assert (batch.targets[-1] == task.targets.end).all()
    assert batch.inputs.max() < task.inputs.vocabulary == len(task.inputs.symbols)
    assert (task.targets.unknown, task.targets.symbols[0]) == (0, "<unk>")


@generated
@pytest.mark.parametrize("part", ["valid", "test"])
def test_references_are_the_targets_as_they_are_written(task, part):
    batch = task.held_out(part, seeded(0))
    assert len(batch) == len(batch.references) == {"valid": 300, "test": 600}[part]
    assert batch.references == tuple((text,) for text in texts(task, batch.targets))
    assert chrf(task, batch.targets, batch) == 100.0


def test_rows_read_as_the_docstring_says():
    task = GENERATED[0]
    lines = [line.split(maxsplit=1) for line in task.__doc__.splitlines() if line.strip()]
    shown = dict(line for line in lines if line[0] in ("input", "target"))
    said = set(shown["input"].split())
    assert said <= set(task.inputs.symbols)
    assert set(shown["target"].split()) <= set(task.targets.symbols)


@generated
def test_the_oracle_translates_and_anchors_are_what_the_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert torch.equal(task.oracle(test), test.targets)
    assert chrf(task, task.oracle(test), test) == task.anchors.oracle == 100.0
    assert chrf(task, task.trivial(test), test) == task.anchors.trivial
    assert task.anchors.trivial < 20
    assert set(task.anchors.floors) == {"copy", "nearest"}
    assert task.anchors.floors["copy"] < 2
    assert 25 < task.anchors.floors["nearest"] < 60
    assert 5 < task.anchors.chance < 20


@generated
def test_parts_share_no_sentence(task):
    parts = [{pair.source for pair in task._parts[part]} for part in PARTS]
    assert [len(part) for part in parts] == [2000, 300, 600]
    assert len(set.union(*parts)) == 2900


def test_what_is_held_out_does_not_depend_on_how_much_is_trained_on():
    small, large = (Translation(sentences=count) for count in (500, 2000))
    assert small._parts["test"] == large._parts["test"]
    assert small._parts["train"] == large._parts["train"][:500]


def test_what_is_read_and_said_is_made_once():
    task = GENERATED[0]
    assert task.inputs is task.inputs and task.targets is task.targets


def test_a_seed_decides_the_batch():
    first, same, other = (GENERATED[0].batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_predictions_fit_a_batch_of_any_length():
    task = GENERATED[0]
    batch = task.batch(3, seeded(0))
    for said in (task.trivial(batch), task.oracle(batch)):
        assert said.shape == batch.targets.shape and said.dtype == torch.int64


def test_paths_lead_over_the_source_and_the_target():
    task = GENERATED[0]
    train = task._parts["train"]
    forwards = sum(len(s) - 1 + len(t) for s, t in train) / len(train)
    assert task.shortest_path(False) == pytest.approx(forwards)
    assert task.shortest_path(True) < forwards


def test_generated_sentences_with_unknown_symbols_have_no_oracle():
    task = Translation(sentences=500, vocabulary=60)
    assert len(task.inputs.symbols) == 60
    assert task.targets.count == 61
    assert task.anchors.oracle is None
    assert "test target symbols are unknown" in " ".join(task.notes)


def test_an_unknown_word_in_a_reference_is_written_out(table):
    train, test = table(rows(20)), table("I am Tom.\tJe suis Tom.\n", "test.tsv")
    task = Translation(data=train, test=test)
    held = task.held_out("test", seeded(0))
    assert held.references == (("je suis tom .",),)
    assert held.targets.T.tolist()[0][2] == task.targets.unknown
    assert held.inputs.T.tolist()[0][2] == 0
    assert any("25.00% of the test target symbols are unknown" in note for note in task.notes)


def test_symbols_seen_too_seldom_are_unknown(table):
    task = Translation(data=table(rows(20)), seen=2)
    assert set(task.inputs.symbols) == {"<unk>", "i", "am", "."}
    assert set(task.targets.symbols) == {"<unk>", "je", "suis", ".", "<END>"}


def test_a_source_with_several_targets_is_one_held_out_row_and_many_training_rows(table):
    several = "Go!\tVa !\nGo!\tAllez !\nGo!\tVa !\nRun!\tCours !\n"
    test = table(several, "test.tsv")
    task = Translation(data=table(rows(20) + several), valid=test, test=test)
    held = task.held_out("test", seeded(0))
    assert read(task, held) == ["go !", "run !"]
    assert held.references == (("va !", "allez !"), ("cours !",))
    assert texts(task, held.targets) == ["va !", "cours !"]
    assert len(task._batches["train"]) == 24
    assert Chrf().measure(["allez !", "cours !"], held.references) == 100.0
    notes = " | ".join(task.notes)
    assert "1 of 2 test sources have several right answers" in notes


def test_sources_and_pairs_that_training_has_too_are_counted(table):
    test = table("I am 1.\tJe suis 1.\nI am 2.\tC'est moi.\nI am Tom.\tTom.\n", "test.tsv")
    task = Translation(data=table(rows(20)), valid=test, test=test)
    assert task.leaks == (
        "2 of 3 validation sources are also in the training part",
        "2 of 3 test sources are also in the training part",
        "3 of 3 test sources are also in the validation part",
        "1 of 3 validation pairs are also in the training part",
        "1 of 3 test pairs are also in the training part",
        "3 of 3 test pairs are also in the validation part",
    )
    assert Translation(data=table(rows(20))).leaks == GENERATED[0].leaks == ()


def test_test_pairs_that_were_dealt_to_validation_are_counted(table):
    data, other = table(rows(20)), table("Hm.\tHm.\n", "other.tsv")
    dealt = [pair.source[2] for pair in Translation(data=data, test=other)._parts["valid"]]
    again = "".join(f"I am {n}.\tJe suis {n}.\n" for n in dealt)
    task = Translation(data=data, test=table(again, "test.tsv"))
    assert task.leaks == (
        "2 of 2 test sources are also in the validation part",
        "2 of 2 test pairs are also in the validation part",
    )


def test_no_source_is_in_two_parts_of_a_file(table):
    doubled = rows(50) + rows(50).replace("Je suis", "Moi, je suis")
    task = Translation(data=table(doubled))
    sources = [{pair.source for pair in task._parts[part]} for part in PARTS]
    assert [len(part) for part in sources] == [40, 5, 5]
    assert len(set.union(*sources)) == 50
    assert len(task.held_out("test", seeded(0))) == 5
    assert all(len(some) == 2 for some in task.held_out("test", seeded(0)).references)


def test_long_pairs_are_left_out_of_training_and_kept_where_they_are_scored(table):
    long = "I am " + "very " * 30 + "old.\tJe suis vieux.\n"
    test = table(long, "test.tsv")
    task = Translation(data=table(rows(20) + long), valid=test, test=test, limit=10)
    assert task.sequence_length <= 10
    assert "1 training pairs with a side of more than 10 symbols left out" in task.notes
    held = task.held_out("test", seeded(0))
    assert held.lengths.tolist() == [34]
    assert "of more than 3 symbols; make `limit` larger" in refused(data=table(rows(20)), limit=3)


def test_either_side_may_be_too_long(table):
    long = "Hm.\t" + "euh " * 30 + "\n"
    test = table(rows(3), "test.tsv")
    task = Translation(data=table(rows(20) + long), valid=test, test=test, limit=10)
    assert len(task._parts["train"]) == 20
    assert task.target_length <= 11


def test_a_few_long_pairs_are_reported_with_the_limit_that_leaves_them_out(table):
    long = "I am " + "very " * 300 + "old.\tJe suis vieux.\n"
    test = table(rows(3), "test.tsv")
    task = Translation(data=table(rows(300) + long), valid=test, test=test)
    assert any("`limit: 4` would leave out" in note for note in task.notes)


def test_held_out_targets_longer_than_any_in_training_are_counted(table):
    long = "Hm.\t" + "euh " * 50_000 + "\n"
    test = table(rows(3) + long, "test.tsv")
    task = Translation(data=table(rows(20)), test=test)
    assert any(
        "1 test targets are longer than any in training" in note and "50,000" in note
        for note in task.notes
    )


def test_case_and_white_space(table):
    content = rows(20) + "OH  MY\u00a0GOD\tMon\u3000Dieu\n"
    small = Translation(data=table(content))
    assert ("oh", "my", "god") in {p.source for some in small._whole.values() for p in some}
    kept = Translation(data=table(content), lowercase=False, target_unit="character")
    assert ("OH", "MY", "GOD") in {p.source for some in kept._whole.values() for p in some}
    assert tuple("Mon Dieu") in {p.target for some in kept._whole.values() for p in some}


def test_columns_by_number_and_by_name(table):
    content = "id\tko\ten\n" + "".join(f"{n}\t나는 {n}\tI am {n}\n" for n in range(10))
    by_name = Translation(data=table(content), source_column="en", target_column="ko")
    by_number = Translation(data=table(content), source_column="3", target_column="2", header="yes")
    assert by_name._whole == by_number._whole
    assert sum(map(len, by_name._whole.values())) == 10
    unnamed = Translation(data=table(content), source_column="3", target_column="2")
    assert sum(map(len, unnamed._whole.values())) == 11
    assert "the first pair of `data`: en → ko" in unnamed.notes


@pytest.mark.parametrize(
    ("separator", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.txt"), ("\t", "a.tsv.gz")]
)
def test_separators_are_recognised(table, separator, name):
    task = Translation(data=table(rows(10, separator), name))
    assert sum(map(len, task._whole.values())) == 10


def test_quotes_hold_a_cell_with_commas_together(table):
    content = "".join(f'"Yes, {n}","Oui, {n}"\n' for n in range(10))
    task = Translation(data=table(content, "a.csv"))
    assert read(task, task.held_out("test", seeded(0)))[0].startswith("yes ,")


def test_a_korean_encoding_is_read_where_it_is_named(table):
    content = "".join(f"I am {n}\t나는 {n}\n" for n in range(10))
    file = table(content, encoding="cp949")
    assert "나는" in Translation(data=file, encoding="cp949").targets.symbols
    assert "pairs.tsv:1: " in refused(data=file)
    assert "no encoding is called" in refused(data=file, encoding="klingon")


def test_empty_sides_are_refused_or_skipped(table):
    content = rows(5) + "Hello.\t \n" + rows(20)
    message = refused(data=table(content))
    assert "pairs.tsv:6: the target in column 2 is empty; give one, or set `empty: skip`" in message
    task = Translation(data=table(content), empty="skip")
    assert "1 pairs with an empty side were skipped in `data`" in task.notes
    assert "no pairs" in refused(data=table("\tx\ny\t\n"), empty="skip")


def test_tables_that_cannot_be_used_say_why(table):
    good = rows(20)
    assert "no column `2`: it has 1 column and no header" in refused(data=table("a\nb\n"))
    assert "no column `ko`: its columns are en, fr" in refused(
        data=table("en\tfr\n" + good), source_column="en", target_column="ko"
    )
    assert "are the same column" in refused(data=table(good), target_column="1")
    assert "pairs.tsv:21: 3 cells where the first row has 2" in refused(
        data=table(good + "a\tb\tc\n")
    )
    assert "the file is empty" in refused(data=table("\n\n"))
    assert "damaged or cut off" in refused(data=table(gzip.compress(good.encode())[:-20]))
    assert "1 different sources cannot be dealt into training and validation and test" in refused(
        data=table("Hi.\tSalut.\n")
    )
    assert "set `data`" in refused(test=table(good))
    assert "cannot be read" in refused(data="absent.tsv")
    assert "s is known; expected one at least" in refused(data=table(good), seen=1000)


def test_one_pair_with_tables_of_their_own_is_enough(table):
    file = table("Hi.\tSalut.\n")
    task = Translation(data=file, valid=file, test=file)
    assert len(task.batch(32, seeded(0))) == 32
    assert task.anchors.trivial == 100.0


def test_a_file_that_one_answer_suits_best_is_solved_where_that_is_reached(table):
    train = table("".join(f"Is it {n}?\t{'Nein' if n == 1 else 'Ja'}.\n" for n in range(20)))
    test = table("Is it 1?\tJa.\nIs it 2?\tNein.\nIs it 3?\tJa.\n", "test.tsv")
    anchors = Translation(data=train, valid=test, test=test).anchors
    assert anchors.solved == anchors.trivial > max(anchors.floors.values())


@pytest.mark.parametrize(
    "chosen", [{"sentences": 0}, {"source_unit": "syllable"}, {"limit": -1}, {"seen": 0}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        Translation(**chosen)


def test_the_nearest_text_shares_what_few_others_have():
    known = ["i see the cat", "i see the dog", "we buy bread"]
    assert nearest_texts(["the dog", "BREAD", "the zebra", "xyz"], known) == [1, 2, 0, 0]


@real_data
def test_questions_and_languages_of_a_real_file():
    chosen = {
        "data": str(REAL / "tatoeba_eng-kor_train.tsv.gz"),
        "test": str(REAL / "tatoeba_eng-kor_val.tsv.gz"),
        "target_unit": "character",
        "limit": 40,
    }
    task = Translation(**chosen)
    test = task.held_out("test", seeded(0))
    assert len(task._tables["train"].pairs) == 2_895
    assert sum(map(len, test.references)) == 293
    assert task.target_length <= 41
    assert 12 < task.anchors.floors["nearest"] < 18
    assert task.anchors.solved == max(task.anchors.trivial, *task.anchors.floors.values())
    assert task.anchors.oracle is None
    assert chrf(task, task.trivial(test), test) == task.anchors.trivial
    assert Bleu().measure([answers[0] for answers in test.references], test.references) == 100.0
