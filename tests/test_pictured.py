"""What a report shows of pictures and of kinds, and what it does with what is none."""

import base64
import math
import re
from dataclasses import replace

import pandas as pd
import pytest
import synthetic

from rnnbench.report import write_report
from rnnbench.report.kinds import by_kind
from rnnbench.report.pictured import pictured
from rnnbench.showing_pictures import png

torch = pytest.importorskip("torch")

COPY = "copy_memory(length=20)"
RED = torch.stack([torch.full((6, 6), level) for level in (1.0, 0.0, 0.0)]).unsqueeze(0)
HOSTILE = '<script>alert(1)</script>"'


def results(*, picture=None, said="a red square", looks=True):
    """Synthetic results of two architectures, of which gru has pictures."""
    plain = synthetic.results()
    place = {"architecture": "gru", "setting": COPY, "replicate": 0, "seed_index": 0, "key": "k"}
    rows = [
        place
        | {
            "picture": number,
            "read": "what is it ?" if number else "",
            "right": "a red square",
            "said": said if number else "a red square",
            "correct": said == "a red square" or not number,
            "rows": 2 if looks else pd.NA,
            "columns": 2 if looks else pd.NA,
            "png": png(RED) if picture is None else picture,
        }
        for number in (0, 7)
    ]
    weights = [(0, 0, 0.64), (0, 1, 0.36), (1, 0, 0.0), (1, 1, 0.0)]
    seen = [
        place | {"picture": 7, "said_step": step, "said": word, "row": r, "column": c, "weight": w}
        for step, word in enumerate(("red", HOSTILE))
        for r, c, w in weights
    ]
    kinds = [
        {"architecture": name, "setting": COPY, "replicate": 0, "seed_index": seed, "key": "k"}
        | {"metric": "accuracy", "kind": kind, "sequences": count, "value": value + seed / 10}
        for name in ("gru", "lstm")
        for seed in range(3)
        for kind, count, value in (("1 object", 30, 0.6), ("2 objects", 70, 0.2))
    ]
    plain.manifest["settings"][COPY]["metric"] = "accuracy"
    return replace(
        plain,
        pictures=pd.DataFrame(rows),
        looks=pd.DataFrame(seen if looks else [], columns=[*seen[0]]),
        kinds=pd.DataFrame(kinds),
    )


def written(tmp_path, made):
    write_report(made, tmp_path)
    return ((tmp_path / name).read_text("utf-8") for name in ("report.html", "report.md"))


def test_pictures_stand_beside_what_was_said_of_them(tmp_path):
    html, markdown = written(tmp_path, results(said="a blue circle"))
    assert html.count('<img src="data:image/png;base64,') == 2
    assert "What did it make of pictures?" in html
    assert '<p class="wrong"><span aria-hidden="true">✕</span> a blue circle</p>' in html
    assert '<p class="answer">right: a red square</p>' in html
    assert '<p class="asked">what is it ?</p>' in html
    assert '<p class="right"><span aria-hidden="true">✓</span> a red square</p>' in html
    assert "| 7 | what is it ? | a red square | a blue circle | ✕ |" in markdown
    assert "| 0 | – | a red square | a red square | ✓ |" in markdown


def test_a_map_is_the_stronger_the_larger_the_root_of_its_weight(tmp_path):
    html, _ = written(tmp_path, results())
    maps = re.findall(r'<svg class="look".*?</svg>', html, re.DOTALL)
    assert len(maps) == 2
    opacities = [float(value) for value in re.findall(r'fill-opacity="([\d.]+)"', maps[0])]
    expected = [0.7 * math.sqrt(weight) for weight in (0.64, 0.36, 0, 0)]
    assert opacities == pytest.approx(expected, abs=0.005)
    # the picture is there once, whatever the number of its maps
    assert html.count("<symbol ") == 1
    (name,) = re.findall(r'<symbol id="([^"]+)"', html)
    assert all(f'<use href="#{name}"' in each for each in maps)


def test_maps_of_many_places_are_shown_by_sums_of_blocks():
    made = results()
    rows = [
        {**made.looks.iloc[0].to_dict(), "row": n // 14, "column": n % 14, "weight": 1 / 196}
        for n in range(196)
    ]
    pictures = made.pictures.assign(rows=14, columns=14)
    (one,) = pictured(replace(made, pictures=pictures, looks=pd.DataFrame(rows)))
    (_, drawn), *_ = one.pictures[1].maps
    opacities = [float(value) for value in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert len(opacities) == 49
    assert opacities == pytest.approx([0.7 * math.sqrt(4 / 196)] * 49, abs=0.005)


@pytest.mark.parametrize(
    "stored",
    ["", "no base64 at all!", base64.b64encode(b"<svg onload=alert(1)>").decode(), HOSTILE],
)
def test_what_is_stored_and_is_no_picture_is_not_shown(tmp_path, stored):
    html, _ = written(tmp_path, results(picture=stored, looks=False))
    assert html.count("no picture is stored") == 2
    assert "data:image/png" not in html
    assert "onload" not in html


def test_words_and_questions_of_strangers_are_escaped(tmp_path):
    html, markdown = written(tmp_path, results(said=HOSTILE))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in markdown


def test_kinds_have_means_with_intervals_and_counts(tmp_path):
    made = results()
    (one,) = by_kind(made)
    assert one.kinds == [("1 object", 30), ("2 objects", 70)]
    rows = dict(one.rows)
    # 0.6, 0.7, 0.8: t interval of three
    assert rows["gru"] == ["0.700 ± 0.248", "0.300 ± 0.248"]
    html, markdown = written(tmp_path, made)
    assert "Which kinds are hard?" in html
    assert "| gru | 0.700 ± 0.248 | 0.300 ± 0.248 |" in markdown


def test_suites_without_pictures_or_kinds_have_no_such_sections(tmp_path):
    html, markdown = written(tmp_path, synthetic.results())
    for text in (html, markdown):
        assert "make of pictures" not in text
        assert "Which kinds" not in text


def test_who_was_not_shown_the_picture_is_marked(tmp_path):
    made = results()
    made.manifest["architectures"]["gru"]["without"] = "image"
    html, markdown = written(tmp_path, made)
    for text in (html, markdown):
        assert "was not shown the image" in text
    plain, _ = written(tmp_path, results())
    assert "was not shown" not in plain


def test_maps_are_explained_where_there_are_some_and_unfolded(tmp_path):
    html, _ = written(tmp_path, results())
    assert "where attention looked" in html
    plain, _ = written(tmp_path, results(looks=False))
    assert "where attention looked" not in plain
