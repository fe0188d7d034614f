from collections import Counter

import numpy as np
import pytest
import torch

from rnnbench import Batch, text_of
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks.actions import GRAMMARS, LANGUAGES
from rnnbench_tasks.hangul import closed, direct_object, subject, topic
from rnnbench_tasks.naive_bayes import NaiveBayes
from rnnbench_tasks.word_order import WordOrder

SETTINGS = [
    {"language": language, "unit": unit, "clauses": clauses}
    for language in LANGUAGES
    for unit in ("word", "character")
    for clauses in (1, 3)
]
every_setting = pytest.mark.parametrize(
    "task",
    [WordOrder(**chosen) for chosen in SETTINGS] + [WordOrder(inversion=False)],
    ids=lambda task: "-".join(map(str, task.chosen.values())),
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


def texts(task, batch):
    return [text_of(task._vocabulary.decode(text), task.unit) for text in sequences(batch)]


@every_setting
def test_batches_have_the_declared_shapes(task):
    batch = task.batch(64, seeded(0))
    assert batch.inputs.shape == (task.sequence_length, 64)
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert set(batch.targets.tolist()) == {0, 1}
    assert batch.inputs.max() < task.inputs.vocabulary
    beyond = torch.arange(task.sequence_length).unsqueeze(1) >= batch.lengths
    assert torch.equal(batch.inputs == 0, beyond)


def test_a_seed_decides_the_batch_and_leaves_the_global_generators_alone():
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first, same, other = (WordOrder().batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    WordOrder().held_out("valid", seeded(0))
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@every_setting
@pytest.mark.parametrize("split", ["valid", "test"])
def test_each_bag_of_symbols_occurs_equally_often_with_either_answer(task, split):
    held_out = task.held_out(split, seeded(1))
    bags = {}
    for symbols, target in zip(sequences(held_out), held_out.targets.tolist(), strict=True):
        bags.setdefault(tuple(sorted(symbols)), Counter())[target] += 1
    assert all(answers[0] == answers[1] > 0 for answers in bags.values())


@every_setting
def test_every_training_text_could_be_drawn_with_the_other_answer_and_the_same_symbols(task):
    stories = task._drawn("train", 200, seeded(0))
    one, other = task._told(stories), task._told(stories.swapped())
    assert torch.equal(one.targets, 1 - other.targets)
    for mine, partner in zip(sequences(one), sequences(other), strict=True):
        assert mine != partner
        assert sorted(mine) == sorted(partner)


@every_setting
def test_whoever_counts_symbols_is_right_in_one_half(task):
    train, test = task.batch(4000, seeded(0)), task.held_out("test", seeded(1))
    counting = NaiveBayes.of(train, 2, task.inputs.vocabulary)
    assert accuracy(counting.logits(test).round(decimals=9), test) == 0.5
    assert task.anchors.floors["bag_of_words"] == 0.5


@every_setting
def test_anchors_are_what_the_predictors_measure(task):
    test = task.held_out("test", seeded(3))
    blind = Batch(test.inputs, torch.zeros_like(test.targets), test.lengths)
    assert accuracy(task.oracle(blind), test) == task.anchors.oracle == 1.0
    assert accuracy(task.trivial(blind), test) == task.anchors.trivial == 0.5
    assert task.anchors.chance == 0.5


@every_setting
def test_parts_share_no_text(task):
    parts = [
        set(sequences(batch))
        for batch in (
            task.batch(2000, seeded(0)),
            task.held_out("valid", seeded(1)),
            task.held_out("test", seeded(2)),
        )
    ]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_all_symbols_of_the_test_occur_in_training():
    for language in LANGUAGES:
        task = WordOrder(language=language)
        known = task.batch(4000, seeded(0)).inputs.unique()
        assert set(task.held_out("test", seeded(1)).inputs.unique().tolist()) <= set(known.tolist())


@pytest.mark.parametrize(
    ("language", "inverted", "said"),
    [
        ("english", False, "the dog bit Chulsu. "),
        ("english", True, "Chulsu was bitten by the dog. "),
        ("korean", False, "개|가 철수|를 물었다. "),
        ("korean", True, "철수|를 개|가 물었다. "),
    ],
)
def test_the_pair_of_the_lecture_is_said(language, inverted, said):
    grammar = GRAMMARS[language]
    animal, person, verb = grammar.animals[0], grammar.people[0], grammar.verbs[0]
    assert grammar.clause(animal, person, verb, inverted) == said


def test_particles_follow_the_last_sound():
    assert [closed(noun) for noun in ("개", "곰", "철수", "지민")] == [False, True, False, True]
    assert [subject(noun) + direct_object(noun) + topic(noun) for noun in ("개", "곰")] == [
        "가를는",
        "이을은",
    ]
    for animal, person in GRAMMARS["korean"].meetings():
        assert subject(animal) == subject(person)


def test_words_and_characters_say_the_same():
    words = WordOrder(language="korean", clauses=2)
    characters = WordOrder(language="korean", clauses=2, unit="character")
    batch, other = words.batch(50, seeded(0)), characters.batch(50, seeded(0))
    assert torch.equal(batch.targets, other.targets)
    spelt = [text.replace(" ", "") for text in texts(words, batch)]
    assert spelt == [text.replace(" ", "") for text in texts(characters, other)]
    assert texts(words, batch)[0].split()[1] in "이가을를"


def test_without_inversion_whoever_is_named_first_acts():
    task = WordOrder(inversion=False)
    batch = task.batch(100, seeded(0))
    for text, target in zip(texts(task, batch), batch.targets.tolist(), strict=True):
        assert text.startswith("the") == bool(target)
    inverted = texts(WordOrder(), WordOrder().batch(400, seeded(0)))
    assert sum(" was " in text for text in inverted) == pytest.approx(200, abs=50)


@pytest.mark.parametrize("clauses", [2, 5])
def test_the_clause_asked_about_may_be_any_and_verbs_do_not_recur(clauses):
    stories = WordOrder(clauses=clauses)._drawn("train", 1000, seeded(0))
    counts = stories.asked.flatten().bincount(minlength=clauses)
    assert (counts - 1000 / clauses).abs().max() < 5 * (1000 / clauses) ** 0.5
    assert all(len(set(verbs)) == clauses for verbs in stories.verbs.tolist())


@every_setting
@pytest.mark.parametrize("bidirectional", [False, True])
def test_paths_lead_from_the_clause_asked_about_to_the_read_out(task, bidirectional):
    stories = task._drawn("train", 2000, seeded(0))
    lengths = (task._clauses[
        stories.meeting, stories.verbs, stories.actors, stories.inverted] > 0).sum(-1)  # fmt: skip
    whole = task._told(stories).lengths
    paths = []
    for clauses, asked, total in zip(
        lengths.tolist(), stories.asked.flatten().tolist(), whole.tolist(), strict=True
    ):
        start = sum(clauses[:asked])
        relevant = [*range(start, start + clauses[asked]), *range(sum(clauses), total)]
        far = [min(total - 1 - p, p) if bidirectional else total - 1 - p for p in relevant]
        paths.append(max(far))
    drawn = sum(paths) / len(paths)
    assert task.shortest_path(bidirectional) == pytest.approx(drawn, rel=0.06, abs=0.6)


@pytest.mark.parametrize(
    "chosen", [{"clauses": 0}, {"clauses": 7}, {"language": "latin"}, {"unit": "syllable"}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        WordOrder(**chosen)
