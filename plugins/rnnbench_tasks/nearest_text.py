"""The nearest text: whose words a text shares most, by the cosine of tf-idf."""

from __future__ import annotations

from collections.abc import Sequence

import rnnbench

PART = 256


def nearest_texts(texts: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return for each text the number of the known one most like it; of several, the first.

    Words and punctuation marks count, in whatever case, and the more the fewer known texts have
    them (Salton & Buckley 1988).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import

    vectors = TfidfVectorizer(analyzer=lambda text: rnnbench.symbols(text.lower(), "word"))
    neighbours = vectors.fit_transform(known).T.tocsc()
    queries = vectors.transform(texts)
    near: list[int] = []
    # part by part: all cosines at once are a matter of gigabytes for large files
    for start in range(0, len(texts), PART):
        cosines = (queries[start : start + PART] @ neighbours).toarray()
        near += cosines.argmax(1).tolist()
    return near
