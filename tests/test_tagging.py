import os
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

import pluggy
import pytest
import torch

from rnnbench import DataError, Tokens, hookspecs
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import ambiguous_english, tagging
from rnnbench_tasks.conllu import Sentence
from rnnbench_tasks.hidden_markov import HiddenMarkov
from rnnbench_tasks.tagging import Tagging, most_frequent_tags

WORDS = Tagging()
CHARACTERS = Tagging(unit="character", limit=120)
both = pytest.mark.parametrize("task", [WORDS, CHARACTERS], ids=["words", "characters"])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, batch.mask)


def sequences(batch):
    return {
        tuple(sequence[:length].tolist())
        for sequence, length in zip(batch.inputs.T, batch.lengths.tolist(), strict=True)
    }


def tagged(*sentences):
    """Write `word/TAG word/TAG` as a file of two columns."""
    blocks = (sentence.replace(" ", "\n").replace("/", "\t") for sentence in sentences)
    return "\n\n".join(blocks) + "\n"


def many(count, tag="NOUN"):
    return [f"the/DET dog/{tag} w{number}/VERB" for number in range(count)]


@pytest.fixture
def write(tmp_path):
    def write(name, *sentences):
        path = tmp_path / name
        path.write_text(tagged(*sentences), "utf-8")
        return str(path)

    return write


def test_the_module_provides_its_task():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(tagging)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[Tagging]]


def test_nothing_is_read_before_it_is_needed():
    assert Tagging(data="nowhere.conllu").data == "nowhere.conllu"
    code = "import sys, rnnbench_tasks.tagging; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@both
def test_batches_have_the_declared_shapes(task):
    for batch in (task.batch(32, seeded(0)), task.held_out("valid", seeded(0))):
        steps, count = batch.inputs.shape
        assert len(batch) == count
        assert batch.targets.shape == batch.mask.shape == (steps, count)
        assert (batch.inputs.dtype, batch.targets.dtype) == (torch.int64, torch.int64)
        assert (batch.lengths.dtype, batch.mask.dtype) == (torch.int64, torch.bool)
        assert 1 <= batch.lengths.min() <= batch.lengths.max() <= steps
        assert 0 <= batch.inputs.min() <= batch.inputs.max() < task.inputs.vocabulary
        assert 0 <= batch.targets.min() <= batch.targets.max() < task.targets.count
        for predicted in (task.trivial(batch), task.oracle(batch)):
            assert predicted.shape == (steps, count, task.targets.count)
            assert predicted.dtype == torch.float32
    assert len(task.batch(32, seeded(0)).inputs) == task.sequence_length
    assert task.inputs.embedding == 16


@both
def test_a_seed_decides_the_batch_and_no_other_generator_is_touched(task):
    before = torch.random.get_rng_state()
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.inputs, other.inputs)
    assert torch.equal(before, torch.random.get_rng_state())


@both
def test_parts_share_no_sentence(task):
    train = sequences(task.batch(2400, seeded(0)))
    valid, test = (sequences(task.held_out(split, seeded(0))) for split in ("valid", "test"))
    assert [len(train), len(valid), len(test)] == [2400, 300, 300]
    assert len(train | valid | test) == 3000


@both
def test_the_oracle_measures_its_anchor_without_reading_targets(task):
    test = task.held_out("test", seeded(0))
    blind = type(test)(test.inputs, torch.zeros_like(test.targets), test.lengths, test.mask)
    assert accuracy(task.oracle(blind), test) == task.anchors.oracle == 1.0


@both
def test_anchors_are_what_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert accuracy(task.trivial(test), test) == task.anchors.trivial
    guesses = torch.rand(*test.targets.shape, task.targets.count, generator=seeded(1))
    assert accuracy(guesses, test) == pytest.approx(task.anchors.chance, abs=0.03)
    assert task.anchors.chance < task.anchors.trivial < task.anchors.solved < 1


def test_floors_read_words_and_so_do_not_depend_on_the_unit():
    assert WORDS.anchors.floors == CHARACTERS.anchors.floors
    assert WORDS.anchors.floors["most frequent tag"] == WORDS.anchors.trivial
    assert WORDS.anchors.trivial < 0.87
    assert WORDS.anchors.trivial < WORDS.anchors.floors["bigram HMM"] < WORDS.anchors.solved


def test_every_generated_sentence_has_one_reading():
    sentences = ambiguous_english.sentences(3000)
    assert len({sentence.words for sentence in sentences}) == 3000
    for words, tags in sentences:
        assert list(ambiguous_english.taggings(words)) == [tags]
    assert list(ambiguous_english.taggings(["dog", "the", "."])) == []


def test_a_tag_may_depend_on_what_comes_later():
    def tags(text):
        (found,) = ambiguous_english.taggings(text.split())
        return dict(zip(text.split(), found, strict=True))

    assert tags("they saw her plan .")["her"] == "DET"
    assert tags("they saw her plan the walk .")["her"] == "PRON"
    assert tags("she slept since the old storm .")["since"] == "ADP"
    assert tags("she slept since the old storm fell .")["since"] == "SCONJ"
    assert tags("they walk to plan .")["to"] == "PART"
    assert tags("they walk to anna .")["to"] == "ADP"


def test_the_sentence_in_the_docstring_is_tagged_so():
    lines = [line.split() for line in Tagging.__doc__.splitlines() if line.strip()]
    (words,) = (line[1:] for line in lines if line[0] == "input")
    (tags,) = (line[1:] for line in lines if line[0] == "target")
    assert list(ambiguous_english.taggings(words)) == [tuple(tags)]


def test_the_generated_sentences_are_the_same_for_ever():
    first, second = ambiguous_english.sentences(2)
    assert ambiguous_english.sentences(3)[:2] == [first, second]
    assert first.words == ("they", "watched", "since", "the", "storm", ".")


def test_a_character_is_a_step_and_the_tag_is_due_after_the_word(write):
    path = write("data.tsv", *["ab/X cd/Y"] * 2, *many(20))
    task = Tagging(data=path, valid=path, test=path, unit="character")
    valid = task.held_out("valid", seeded(0))
    assert valid.lengths[0] == 6
    assert valid.mask[:, 0].nonzero()[:, 0].tolist() == [2, 5]
    same = valid.inputs[valid.mask]
    assert (same == same[0]).all()
    first, second = valid.targets[valid.mask[:, 0], 0].tolist()
    assert first != second


def test_one_hot_words_have_no_table():
    assert Tagging(embedding=0).inputs == Tokens(WORDS.inputs.vocabulary, None)


def test_a_file_is_dealt_into_parts_and_repeated_sentences_are_read_once(write):
    task = Tagging(data=write("all.tsv", *many(50), *many(50)))
    sizes = [
        len(task.batch(40, seeded(0))),
        *(len(task.held_out(s, seeded(0))) for s in ("valid", "test")),
    ]
    assert sizes == [40, 5, 5]
    assert "50 repeated sentences of all.tsv were read once" in task.notes
    assert any(
        "all.tsv was dealt into 40 training, 5 validation and 5 test" in n for n in task.notes
    )
    assert task.oracle(task.batch(2, seeded(0))) is task.anchors.oracle is None


def test_with_a_test_file_validation_is_dealt_from_the_data(write):
    data, test = write("data.tsv", *many(90)), write("test.tsv", *many(3), "a/DET cat/NOUN")
    task = Tagging(data=data, test=test)
    assert [len(task.held_out(split, seeded(0))) for split in ("valid", "test")] == [10, 4]
    assert any("80 training and 10 validation" in note for note in task.notes)
    assert any("of 4 test sentences are also in the training part" in leak for leak in task.leaks)


def test_with_files_for_all_parts_nothing_is_dealt(write):
    names = {part: write(f"{part}.tsv", *many(9)) for part in ("data", "valid", "test")}
    task = Tagging(**names)
    assert [len(task.held_out(split, seeded(0))) for split in ("valid", "test")] == [9, 9]
    assert len(sequences(task.batch(9, seeded(0)))) <= 9
    for part in ("validation", "test"):
        assert f"9 of 9 {part} sentences are also in the training part" in task.leaks
    assert "9 of 9 test sentences are also in the validation part" in task.leaks
    assert not any("dealt" in note for note in task.notes)


def test_a_batch_larger_than_the_training_part_repeats_sentences(write):
    task = Tagging(data=write("data.tsv", *many(10)))
    assert task.batch(32, seeded(0)).inputs.shape == (3, 32)


def test_words_that_training_has_once_are_unknown(write):
    path = write("data.tsv", "the/DET dog/NOUN", "the/DET cat/NOUN", "The/DET dog/NOUN")
    kept = {"valid": path, "test": path}
    assert Tagging(data=path, **kept).inputs.vocabulary == 3
    assert Tagging(data=path, **kept, vocabulary=2).inputs.vocabulary == 2
    task = Tagging(data=path, **kept)
    train = task.held_out("valid", seeded(0))
    assert train.inputs.T.tolist()[1][1] == 0
    assert any("33.3% of the words in the test part are unknown" in note for note in task.notes)
    assert Tagging(data=path, **kept, lowercase=True).held_out("test", seeded(0)).inputs[0, 2] != 0


def test_long_training_sentences_are_cut_after_a_word_and_held_out_ones_are_not(write):
    long = " ".join(f"w{number % 7}/X" for number in range(50_000))
    path = write("data.tsv", long, *many(9))
    task = Tagging(data=path, valid=path, test=path, limit=20)
    assert task.sequence_length == len(task.batch(4, seeded(0)).inputs) == 20
    assert task.held_out("test", seeded(0)).inputs.shape == (50_000, 10)
    assert "1 of 10 training sentences were cut at 20 words" in task.notes
    spelled = Tagging(data=path, valid=path, test=path, limit=10, unit="character")
    batch = spelled.batch(10, seeded(0))
    assert len(batch.inputs) == 9
    assert batch.mask.gather(0, batch.lengths.unsqueeze(0) - 1).all()


def test_of_a_first_word_that_does_not_fit_the_end_is_read(write):
    path = write("data.tsv", "abcdefgh/X a/Y", *many(9))
    task = Tagging(data=path, valid=path, test=path, limit=4, unit="character")
    batch = task.batch(10, seeded(0))
    assert (batch.mask.sum(0) == 1).all()
    assert batch.lengths.min() >= 1


def test_a_tag_that_training_does_not_have_is_one_more_class_and_always_wrong(write):
    data = write("data.tsv", *many(9))
    test = write("test.tsv", "the/DET dog/ODD", "the/DET dog/STRANGE")
    task = Tagging(data=data, valid=data, test=test)
    assert task.targets.count == 4
    batch = task.held_out("test", seeded(0))
    assert (batch.targets[1] == 3).all()
    assert task.batch(32, seeded(0)).targets.max() == 2
    assert accuracy(task.trivial(batch), batch) == 0.5 == task.anchors.trivial
    assert any(note.startswith("ODD, STRANGE: no tag of the training part") for note in task.notes)


def test_solved_is_the_best_floor_of_a_file(write):
    data = write("data.tsv", *many(9))
    task = Tagging(data=data, valid=data, test=data)
    assert task.anchors.solved == max(task.anchors.floors.values()) == 1.0


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (["a/X b/X"] * 3 + ["c/X", "d/X"], "every word for training has the UPOS `X`"),
        (["a/X b/Y"] * 9, "1 different sentences for 3 parts"),
        (["a/X b/Y", "b/X"], "2 different sentences for 3 parts"),
    ],
)
def test_a_file_that_cannot_be_learnt_from_is_refused(write, sentences, message):
    path = write("data.tsv", *sentences)
    with pytest.raises(DataError, match=message) as raised:
        _ = Tagging(data=path).anchors
    assert str(raised.value).startswith(path)


def test_a_bad_test_file_is_refused_while_planning(write, tmp_path):
    bad = tmp_path / "bad.conllu"
    bad.write_text("1\tdog\n", "utf-8")
    task = Tagging(data=write("data.tsv", *many(9)), test=write("empty.tsv", "dog/ "))
    with pytest.raises(DataError, match=r"empty.tsv:1: the UPOS is empty"):
        _ = task.targets


def test_a_held_out_file_needs_a_training_file(write):
    with pytest.raises(DataError, match="name the training file in `data`"):
        _ = Tagging(test=write("test.tsv", *many(3))).inputs


def test_the_encoding_of_files_can_be_named(tmp_path):
    path = tmp_path / "korean.tsv"
    path.write_bytes(
        tagged("개가/N 잔다/V", "개는/N 논다/V", "개도/N 운다/V", "물/N 온다/V").encode("cp949")
    )
    assert Tagging(data=str(path), encoding="cp949").targets.count == 2
    with pytest.raises(DataError, match="is not utf-8; set `encoding`"):
        _ = Tagging(data=str(path)).targets


def test_unknown_words_get_the_most_frequent_tag():
    tag = most_frequent_tags([Sentence(("a", "a", "b"), ("X", "Y", "Z")), Sentence(("a",), ("Y",))])
    assert tag(["a", "b", "c"]) == ["Y", "Z", "Y"]


def test_the_bigram_tagger_finds_the_most_probable_path():
    sentences = [
        Sentence(("the", "watch", "runs"), ("D", "N", "V")),
        Sentence(("they", "watch", "dogs"), ("P", "V", "N")),
        Sentence(("the", "dogs", "watch"), ("D", "N", "V")),
    ]
    model = HiddenMarkov(sentences)
    assert model.tag(("the", "watch", "watch")) == ["D", "N", "V"]
    assert model.tag(("they", "watch")) == ["P", "V"]
    words = ("the", "watch", "fly")
    counts = Counter(
        (before, tag)
        for _, t in sentences
        for before, tag in zip(("#", *t), (*t, "#"), strict=True)
    )
    emitted = Counter(pair for one in sentences for pair in zip(*one, strict=True))
    tags, often = "DNPV", Counter(tag for _, t in sentences for tag in t)
    once = Counter(
        tag for one in sentences for word, tag in zip(*one, strict=True) if word in ("they", "runs")
    )

    def probability(path):
        total = 1.0
        for before, tag in zip(("#", *path), (*path, "#"), strict=True):
            total *= (counts[before, tag] + 1) / (
                sum(counts[before, other] + 1 for other in "#DNPV")
            )
        for word, tag in zip(words, path, strict=True):
            total *= (emitted[word, tag] if word != "fly" else once[tag] + 1) / often[tag]
        return total

    best = max(product(tags, repeat=3), key=probability)
    assert tuple(model.tag(words)) == best


def test_the_nearest_context_is_a_word_away():
    assert WORDS.shortest_path(True) == WORDS.shortest_path(False) == 1
    assert 4 < CHARACTERS.shortest_path(True) < 6


@pytest.mark.parametrize(
    "chosen",
    [{"unit": "syllable"}, {"column": "LEMMA"}, {"limit": 0}, {"vocabulary": 1}, {"embedding": -1}],
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        Tagging(**chosen)


REAL = os.environ.get("RNNBENCH_DATA")
real = pytest.mark.skipif(not REAL, reason="RNNBENCH_DATA names no folder of data")


def conllu(name):
    path = Path(REAL or "") / "tagging" / f"{name}.conllu.gz"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return str(path)


@real
def test_partut_is_read_whole_and_its_dev_part_has_these_floors():
    train, dev = conllu("en_partut-ud-train"), conllu("en_partut-ud-dev")
    task = Tagging(data=train, valid=dev, test=dev)
    assert task.batch(1781, seeded(0)).inputs.shape == (50, 1781)
    assert (task.targets.count, len(task.held_out("test", seeded(0)))) == (17, 156)
    assert task.anchors.floors == {
        "most frequent tag": pytest.approx(0.860, abs=0.001),
        "bigram HMM": pytest.approx(0.895, abs=0.001),
    }


@real
def test_korean_is_a_second_file_of_the_format():
    task = Tagging(data=conllu("ko_gsd-ud-dev"))
    sizes = [len(task.held_out(split, seeded(0))) for split in ("valid", "test")]
    assert sizes == [95, 95]
    # a tenth of it: the 0.717 of the whole, within five standard errors of 1000 words
    assert task.anchors.floors["most frequent tag"] == pytest.approx(0.717, abs=0.07)


@real
def test_another_column_has_other_tags():
    dev = conllu("en_partut-ud-dev")
    counts = [Tagging(data=dev, column=column).targets.count for column in ("UPOS", "XPOS")]
    assert counts[0] <= 18 < counts[1]
