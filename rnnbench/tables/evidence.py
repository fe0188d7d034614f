"""What runs left beside their scores: curves, texts, lengths, kinds, looks and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rnnbench.tables.rows import PLACE, Row, of

SCORES = {
    **PLACE,
    "seed_index": "Int64",
    "split": "string",
    "metric": "string",
    "value": "Float64",
    "direction": "string",
    "censored": "boolean",
    "key": "string",
}
"""The columns of `scores`."""

CURVES = {
    **PLACE,
    "phase": "string",
    "trial": "Int64",
    "seed_index": "Int64",
    "update": "Int64",
    "split": "string",
    "metric": "string",
    "value": "Float64",
    "key": "string",
}
"""The columns of `curves`."""

SAMPLES = {
    **PLACE,
    "seed_index": "Int64",
    "update": "Int64",
    "title": "string",
    "text": "string",
    "key": "string",
}
"""The columns of `samples`."""

LENGTHS = {
    **PLACE,
    "seed_index": "Int64",
    "metric": "string",
    "shortest": "Int64",
    "longest": "Int64",
    "sequences": "Int64",
    "value": "Float64",
    "key": "string",
}
"""The columns of `lengths`."""

ALIGNMENTS = {
    **PLACE,
    "seed_index": "Int64",
    "sequence": "Int64",
    "said_step": "Int64",
    "said": "string",
    "read_step": "Int64",
    "read": "string",
    "weight": "Float64",
    "key": "string",
}
"""The columns of `alignments`."""

KINDS = {
    **PLACE,
    "seed_index": "Int64",
    "metric": "string",
    "kind": "string",
    "sequences": "Int64",
    "value": "Float64",
    "key": "string",
}
"""The columns of `kinds`."""

PICTURES = {
    **PLACE,
    "seed_index": "Int64",
    "picture": "Int64",
    "read": "string",
    "right": "string",
    "said": "string",
    "correct": "boolean",
    "rows": "Int64",
    "columns": "Int64",
    "png": "string",
    "key": "string",
}
"""The columns of `pictures`."""

LOOKS = {
    **PLACE,
    "seed_index": "Int64",
    "picture": "Int64",
    "said_step": "Int64",
    "said": "string",
    "row": "Int64",
    "column": "Int64",
    "weight": "Float64",
    "key": "string",
}
"""The columns of `looks`."""

BETWEEN_ANSWERS = "; "
"""What stands between several right answers."""


def scores(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return every score of these runs."""
    for row in rows:
        for score in row.finished.scores:
            yield {
                **of(row.ask),
                "split": score.split,
                "metric": score.metric,
                "value": score.value,
                "direction": score.direction,
                "censored": score.censored,
            }


def curves(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return every point of the curves of these members."""
    for row in rows:
        for point in row.finished.curve:
            yield {
                **of(row.ask),
                "phase": row.ask.phase,
                "trial": row.ask.trial,
                "update": point.update,
                "split": point.split,
                "metric": point.metric,
                "value": point.value,
            }


def samples(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return what runs wrote while they trained."""
    for row in rows:
        for sample in row.finished.samples:
            yield {
                **of(row.ask),
                "update": sample.update,
                "title": sample.title,
                "text": sample.text,
            }


def lengths(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return the scores of each length of target."""
    for row in rows:
        for score in row.finished.lengths:
            yield {
                **of(row.ask),
                "metric": score.metric,
                "shortest": score.low,
                "longest": score.high,
                "sequences": score.count,
                "value": score.value,
            }


def alignments(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return where attention looked in sequences."""
    for row in rows:
        for number, one in enumerate(row.finished.alignments):
            for said_step, (said, weights) in enumerate(zip(one.said, one.weights, strict=True)):
                for read_step, (read, weight) in enumerate(zip(one.read, weights, strict=True)):
                    yield {
                        **of(row.ask),
                        "sequence": number,
                        "said_step": said_step,
                        "said": said,
                        "read_step": read_step,
                        "read": read,
                        "weight": weight,
                    }


def kinds(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return the scores of each kind of sequence."""
    for row in rows:
        for score in row.finished.kinds:
            yield {
                **of(row.ask),
                "metric": score.metric,
                "kind": score.kind,
                "sequences": score.count,
                "value": score.value,
            }


def pictures(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return the pictures that are kept, and what was said of them."""
    for row in rows:
        for one in row.finished.shown:
            yield {
                **of(row.ask),
                "picture": one.number,
                "read": one.read,
                "right": BETWEEN_ANSWERS.join(one.right),
                "said": one.said,
                "correct": one.correct,
                "rows": one.grid[0] or None,
                "columns": one.grid[1] or None,
                "png": one.png,
            }


def looks(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    """Return where attention looked in pictures."""
    for row in rows:
        for one in row.finished.shown:
            for step, (said, weights) in enumerate(zip(one.words, one.weights, strict=True)):
                for place, weight in enumerate(weights):
                    yield {
                        **of(row.ask),
                        "picture": one.number,
                        "said_step": step,
                        "said": said,
                        "row": place // one.grid[1],
                        "column": place % one.grid[1],
                        "weight": weight,
                    }
