import time
from math import log2

import numpy as np
import pytest

from rnnbench_tasks import ngrams


def bits(train, streams, symbols):
    return ngrams.bits_per_symbol(np.array(train), [np.array(one) for one in streams], symbols)


def by_hand(train, history, symbol, symbols):
    """The interpolated estimate as it is defined, by counting."""
    p = 1 / symbols
    for order in range(len(history) + 1):
        context = tuple(history[len(history) - order :])
        windows = range(order, len(train))
        after = [train[at] for at in windows if tuple(train[at - order : at]) == context]
        if after:
            shorter = 2 * len(set(after))
            p = (after.count(symbol) + shorter * p) / (len(after) + shorter)
    return p


def test_the_unigram_counts_and_leaves_a_share_to_symbols_never_seen():
    # seven symbols of two kinds, of four that there are: (n + 4/4) / (7 + 4)
    assert ngrams.unigram(np.array([0, 1, 1, 0, 0, 0, 0]), 4) == pytest.approx(
        np.array([6, 3, 1, 1]) / 11
    )


def test_every_order_is_what_counting_gives():
    draw = np.random.default_rng(0)
    train, streams = draw.integers(3, size=90), draw.integers(3, size=(6, 9))
    streams[2, 4] = 3  # which training lacks
    found = bits(train, streams, 4)
    for order, name in enumerate(ngrams.NAMES):
        expected = [
            -log2(by_hand(list(train), list(one[max(0, at - order) : at]), one[at], 4))
            for one in streams
            for at in range(1, len(one))
        ]
        assert found[name] == pytest.approx(np.mean(expected))


def test_probabilities_of_all_symbols_sum_to_one():
    train = np.random.default_rng(1).integers(5, size=200)
    assert ngrams.unigram(train, 6).sum() == pytest.approx(1)
    for first in range(6):
        bigrams = [2 ** -bits(train, [[first, second]], 6)["bigram"] for second in range(6)]
        assert sum(bigrams) == pytest.approx(1)


def test_no_context_reaches_from_one_stream_into_the_next():
    found = bits([0, 1] * 50, [[0, 1], [0, 1]], 2)
    assert found["4-gram"] == found["trigram"] == found["bigram"] < found["unigram"]
    longer = bits([0, 1] * 50, [[0, 1, 0, 1]], 2)
    assert longer["4-gram"] < longer["trigram"] < longer["bigram"]


def test_a_rule_of_three_symbols_takes_a_4_gram():
    draw = np.random.default_rng(2)
    text = [0, 0, 0]
    for wrong in draw.random(20_000) < 0.1:
        text.append((text[-1] + text[-2] + text[-3] + wrong) % 2)
    found = bits(text[:10_000], [text[10_000:]], 2)
    entropy = -0.1 * log2(0.1) - 0.9 * log2(0.9)
    assert found["4-gram"] == pytest.approx(entropy, abs=0.03)
    assert found["trigram"] > 0.95


def test_many_symbols_do_not_overflow():
    text = np.arange(100_000)
    found = bits(text, [text], 100_000)
    assert found["unigram"] == pytest.approx(log2(100_000))
    assert found["4-gram"] < found["bigram"] < 2


def test_a_million_symbols_take_seconds_at_most():
    text = np.random.default_rng(3).integers(65, size=1_000_000)
    started = time.process_time()
    bits(text[:900_000], [text[900_000:]], 65)
    assert time.process_time() - started < 6


@pytest.mark.parametrize(
    ("train", "stream"),
    [("abcabcabdabcac", "abcaca"), ("abcabcabcd", "abcdabc"), ("abab", "bababa")],
)
def test_a_context_that_ends_the_text_leaves_its_word_to_the_shorter_one(train, stream):
    def numbers(text):
        return np.array([ord(letter) - ord("a") for letter in text])

    found = ngrams.bits_per_symbol(numbers(train), [numbers(stream)], 4)
    assert len(found) == len(ngrams.NAMES)
    assert all(np.isfinite(bits) and bits > 0 for bits in found.values())
