import pytest
from sacrebleu import corpus_bleu, corpus_chrf
from sacrebleu.metrics import BLEU

from rnnbench_metrics.bleu import Bleu, Bleu1, Bleu2, Bleu3
from rnnbench_metrics.chrf import Chrf

METRICS = (Bleu(), Chrf())
both = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)

# The example of sacrebleu's README, where BLEU is 48.5 and chrF2 59.7 (signatures as ours).
SAID = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him.",
]
REFERENCES = [
    ("The dog bit the man.", "The dog had bit the man."),
    ("It was not unexpected.", "No one was surprised."),
    ("The man bit him first.", "The man had bitten the dog."),
]


def test_the_published_example_reads_as_published():
    assert Bleu().measure(SAID, REFERENCES) == pytest.approx(48.530827, abs=1e-6)
    assert Chrf().measure(SAID, REFERENCES) == pytest.approx(59.73, abs=0.01)


def test_values_are_those_of_sacrebleu_with_the_references_turned():
    turned = [list(stream) for stream in zip(*REFERENCES, strict=True)]
    assert Bleu().measure(SAID, REFERENCES) == corpus_bleu(SAID, turned).score
    assert Chrf().measure(SAID, REFERENCES) == corpus_chrf(SAID, turned).score


@both
def test_texts_may_have_different_numbers_of_right_answers(metric):
    ragged = [REFERENCES[0], REFERENCES[1][:1], (*REFERENCES[2], "Him, the man had bitten.")]
    doubled = [REFERENCES[0], REFERENCES[1][:1] * 2, REFERENCES[2]]
    alike = [references[:2] for references in ragged]
    assert metric.measure(SAID, alike) == pytest.approx(metric.measure(SAID, doubled))
    assert metric.measure(SAID, ragged) >= metric.measure(SAID, alike)


@both
def test_any_right_answer_is_fully_right(metric):
    for chosen in (0, 1):
        said = [references[chosen] for references in REFERENCES]
        assert metric.measure(said, REFERENCES) == 100.0


@both
def test_texts_that_share_nothing_or_say_nothing_score_next_to_nothing(metric):
    assert metric.measure(["", "", ""], REFERENCES) == 0.0
    assert metric.measure(["개", "말", "소"], REFERENCES) == 0.0


@both
def test_the_whole_set_is_scored_and_not_a_mean_of_texts(metric):
    each = [metric.measure([s], [r]) for s, r in zip(SAID, REFERENCES, strict=True)]
    assert metric.measure(SAID, REFERENCES) != pytest.approx(sum(each) / 3, abs=0.5)


def test_case_counts_and_punctuation_is_a_word_of_its_own():
    assert Bleu().measure(["The Dog bit the man."], [("The dog bit the man.",)]) < 100
    assert Bleu().measure(["the dog bit ."], [("the dog bit.",)]) == 100.0


def test_bleu_needs_four_words_and_chrf_does_not():
    assert Bleu().measure(["개가 짖는다"], [("개가 짖는다",)]) == 0.0
    assert Chrf().measure(["개가 짖는다"], [("개가 짖는다",)]) == 100.0


def test_spaces_do_not_count_in_chrf():
    assert Chrf().measure(["개 가 짖는다"], [("개가 짖는다",)]) == 100.0


def test_many_tokenized_texts_cause_no_warning(caplog):
    Bleu().measure(["a b c d ."] * 200, [("a b c d .",)] * 200)
    assert not caplog.records


@both
@pytest.mark.parametrize(
    ("said", "references"),
    [([], []), (SAID, REFERENCES[:2]), (["a"], [()])],
    ids=["nothing", "too few", "none right"],
)
def test_texts_without_right_answers_are_refused(metric, said, references):
    with pytest.raises(ValueError, match="right answer"):
        metric.measure(said, references)


@both
def test_values_are_plain_floats_between_0_and_100(metric):
    assert type(metric.measure(SAID, REFERENCES)) is float
    assert (metric.direction, metric.low, metric.high) == ("max", 0.0, 100.0)


@pytest.mark.parametrize(("metric", "longest"), [(Bleu1, 1), (Bleu2, 2), (Bleu3, 3), (Bleu, 4)])
def test_bleu_of_shorter_groups_is_that_of_sacrebleu(metric, longest):
    turned = [list(stream) for stream in zip(*REFERENCES, strict=True)]
    expected = BLEU(max_ngram_order=longest).corpus_score(SAID, turned).score
    assert metric().measure(SAID, REFERENCES) == pytest.approx(expected)
    assert metric().measure(["the dog"], [["the dog"]]) == (100 if longest <= 2 else 0)
