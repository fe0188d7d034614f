import base64
import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest
import synthetic

from rnnbench.findings.comparisons import compare
from rnnbench.findings.floors import threshold
from rnnbench.findings.summary import summarise
from rnnbench.report import write_report
from rnnbench.report.forest import axis
from rnnbench.report.markdown import escape
from rnnbench.statistics import Interval

COPY = "copy_memory(length=20)"


class Page(HTMLParser):
    """What a page holds: elements with their attributes, the words outside code, its scripts."""

    VOID = ("meta", "img", "br", "wbr", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.scripts, self.styles, self.open = [], [], [], [], []
        self.source = text
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            (self.scripts if self.open[-1] == "script" else self.styles).append(data)
        else:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def report(folder, **changes):
    path = write_report(synthetic.results(**changes), folder).path
    return Page(path.read_text(encoding="utf-8")), (folder / "report.md").read_text("utf-8")


CASES = {
    "whole": {},
    "quick": {"seeds": 3, "trials": 2, "quick": True},
    "interrupted": {"keep": 7, "interrupted": True},
    "not begun": {"keep": 0, "trials": 0, "interrupted": True},
    "all failed": {"failed": {("gru", COPY): 5, ("lstm", COPY): 5}},
    "skipped": {"skipped": {("gru", COPY): "gru looks ahead"}},
    "two lengths": {"settings": (("copy_memory", 20), ("copy_memory", 40))},
    "hostile": {"architectures": (synthetic.HOSTILE, "lstm")},
    "searches": {"replicates": 3, "seeds": 2},
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request, tmp_path_factory):
    return request.param, *report(tmp_path_factory.mktemp("report"), **CASES[request.param])


def test_every_state_of_a_run_gives_all_sections(case):
    _, page, markdown = case
    sections = {
        "leads": "Who leads?",
        "scores": "Where does it come from?",
        "pairs": "Comparison with lstm",
        "length": "Does it hold at greater length?",
        "learning": "How fast does it learn?",
        "tuning": "Was anyone under-tuned?",
        "parameters": "Is it only size?",
        "failures": "Failures",
        "settings": "What was run",
        "provenance": "On what, and how to make it again",
        "method": "Method",
    }
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for id_, heading in sections.items():
        assert id_ in ids
        assert heading in page.text
        assert f"\n## {heading}\n" in markdown


def test_every_link_inside_the_page_leads_somewhere(case):
    _, page, _ = case
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert links
    assert set(links) <= ids


def test_the_page_asks_nothing_of_the_network(case):
    _, page, _ = case
    assert not page.all("link")
    assert not page.all("iframe")
    for image in page.all("img"):
        assert image["src"].startswith("data:image/svg+xml;base64,")
        assert image["alt"]
    assert not any("src" in script for script in page.all("script"))
    assert not re.search(r"url\(|@import", "".join(page.styles))


def test_the_policy_lets_only_the_pages_own_style_and_script_run(case):
    _, page, _ = case
    metas = page.all("meta")
    policy = next(m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy")
    (style,) = page.styles
    script = page.scripts[-1]
    for kind, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    # Attributes that the policy blocks would lose their effect in silence.
    for _, attributes in page.elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_tables_that_may_be_wide_scroll_in_a_named_region_that_takes_focus(case):
    _, page, _ = case
    regions = [d for d in page.all("div") if "scroll" in d.get("class", "").split()]
    assert len(regions) >= len(page.all("table"))
    assert all(r["tabindex"] == "0" and r["role"] == "region" and r["aria-label"] for r in regions)


def test_pictures_of_the_page_have_a_title_and_the_finding_in_words(case):
    _, page, _ = case
    pictures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    ids = {attributes.get("id") for _, attributes in page.elements}
    for picture in pictures:
        assert set(picture["aria-labelledby"].split()) <= ids
    hidden = [svg for svg in page.all("svg") if svg.get("aria-hidden") == "true"]
    assert len(pictures) + len(hidden) == len(page.all("svg"))


def test_page_markdown_and_data_say_the_same(case):
    _, page, markdown = case
    data = json.loads(page.scripts[0])
    assert data["verdict"] in page.text
    assert f"**{data['verdict']}**".replace("<", "&lt;") in re.sub(r"\\(.)", r"\1", markdown)
    plain = page.text.replace(" ", "")
    for line in markdown.splitlines():
        for number in re.findall(r"[\d.]+ ± [\d.]+|[+−][\d.]+ to [+−][\d.]+", line):
            assert number.replace(" ", "") in plain


def test_a_hostile_name_stays_a_name(tmp_path):
    page, markdown = report(tmp_path, architectures=(synthetic.HOSTILE, "lstm"))
    assert len(page.all("script")) == 2
    assert not any(image.get("src") == "x" for image in page.all("img"))
    assert synthetic.HOSTILE in page.text
    assert "<img" not in markdown
    assert "<b>" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| &lt;/script>")]
    assert re.sub(r"\\.", "", rows[0]).count("|") == 7


def test_every_failure_is_a_row_with_its_update_and_reason(tmp_path):
    page, markdown = report(tmp_path, failed={("gru", COPY): 2})
    assert "2 of 10 evaluation runs and 0 of 18 trials failed." in page.text
    assert "✕ 3/5 ok" in page.text
    assert markdown.count("| evaluation, seed ") == 2
    assert "| diverged | 812 | 13.0 s | loss is nan |" in markdown
    assert "| diverged | 812 | 13.0 s | loss is nan [traceback](tracebacks/0.txt) |" in markdown
    assert [a["href"] for a in page.all("a") if "tracebacks" in a["href"]] == ["tracebacks/0.txt"]


def test_what_the_search_stopped_is_no_failure(tmp_path):
    results = synthetic.results()
    results.trials.loc[1, "status"] = "pruned"
    results.trials.loc[2, "status"] = "timeout"
    write_report(results, tmp_path)
    markdown = (tmp_path / "report.md").read_text()
    assert "0 of 10 evaluation runs and 1 of 18 trials failed." in markdown
    assert "pruned" not in markdown.partition("## Failures")[2].partition("## What was run")[0]


def test_means_over_survivors_are_marked_wherever_they_stand(tmp_path):
    long, short = "adding_uniform(length=50)", "adding_uniform(length=100)"
    results = synthetic.results(
        ("gru", "lstm"),
        (("adding_uniform", 50), ("adding_uniform", 100)),
        failed={("gru", long): 1, ("lstm", short): 5},
        spoken=True,
    )
    results.manifest["settings"][long]["metrics"] = ["mean_squared_error", "other"]
    scores = results.runs[["architecture", "setting", "replicate", "seed_index"]]
    every = [
        scores.assign(split=split, metric=metric, value=results.runs["score"])
        for split in ("valid", "test")
        for metric in ("mean_squared_error", "other")
    ]
    kinds = scores.assign(
        metric="mean_squared_error", kind="odd", sequences=3, value=results.runs["score"]
    ).dropna(subset="value")
    with_more = dataclasses.replace(
        results, scores=pd.concat(every).dropna(subset="value"), kinds=kinds
    )
    write_report(with_more, tmp_path)
    markdown = (tmp_path / "report.md").read_text()
    page = (tmp_path / "report.html").read_text()
    sections = dict(part.split("\n", 1) for part in markdown.split("\n## ")[1:])
    assert "| ✕ 9/10 ok |" in sections["Who leads?"]
    assert "| ✕ 5/10 ok |" in sections["Who leads?"]
    assert "✕ 4/5 ok" in sections["Where does it come from?"]
    assert "✕ 0/5 ok" in sections["Where does it come from?"]
    assert "✕ n/m ok: only n of m runs finished" in sections["Where does it come from?"]
    assert "| gru ✕ 4/5 ok |" in sections["What do all metrics say?"]
    assert "| gru ✕ 4/5 ok |" in sections["Which kinds are hard?"]
    for figure in ("score_by_parameters", "score_by_target_length"):
        caption = next(line for line in markdown.splitlines() if f"{figure}.svg" in line)
        at = markdown.splitlines().index(caption) + 2
        said = markdown.splitlines()[at]
        assert said.endswith(f" ✕ Over the survivors alone: gru on {long} (4/5 ok).")
    assert page.count('<small class="x">✕ 4/5 ok</small>') == 3


def test_no_failure_is_said_too(tmp_path):
    page, markdown = report(tmp_path)
    sentence = "None: all 10 evaluation runs and all trials that are present finished."
    assert sentence in page.text
    assert sentence in markdown


def test_without_a_search_none_is_described(tmp_path):
    page, markdown = report(tmp_path, trials=0)
    for text in (page.text, markdown):
        assert "There was no search: hyperparameters are those of the suite." in text
        assert "was tuned" not in text
        assert "this search found" not in text
        assert "2,000 updates, no search" in text
        assert "no search: the suite fixes the hyperparameters" in text
        assert "No optimum lies" not in text


def test_a_written_report_comes_with_the_summary_it_shows(tmp_path):
    results = synthetic.results(seeds=6)
    written = write_report(results, tmp_path)
    assert written.path == tmp_path / "report.html"
    assert written.summary == summarise(results, compare(results))
    with pytest.raises(dataclasses.FrozenInstanceError):
        written.path = tmp_path


def test_solve_rates_have_an_interval_only_where_runs_are_independent(tmp_path):
    half = {"seeds": 4, "scores": lambda *where: 1.0 if where[-1] < 2 else 0.5}
    page, markdown = report(tmp_path / "one", **half)
    for text in (page.text, markdown):
        assert "2/4 (15 to 85 %)" in text
        assert "in brackets the 95 % Wilson interval of the share" in text
    page, markdown = report(tmp_path / "three", replicates=3, **half)
    for text in (page.text, markdown):
        assert "6/12 (50 %)" in text
        assert "Without an interval: the search is the unit" in text
        assert "have Wilson intervals" not in text


def test_a_setting_without_a_best_score_is_drawn_and_its_absence_from_the_order_said(tmp_path):
    results = synthetic.results(settings=(("adding_uniform", 50), ("copy_memory", 20)))
    entry = results.manifest["settings"]["adding_uniform(length=50)"]
    entry["oracle"] = entry["best"] = None
    page = Page(write_report(results, tmp_path).path.read_text("utf-8"))
    for text in (page.text, (tmp_path / "report.md").read_text("utf-8")):
        assert "Mean normalised score over 1 setting: " in text
        assert (
            "Left out: adding_uniform(length=50) (no oracle, and a metric without a best value)."
            in text
        )
        assert "adding_uniform(length=50) is left out of the overall score and the order" in text


def test_partial_and_quick_runs_carry_a_banner(tmp_path):
    page, markdown = report(tmp_path, keep=7, interrupted=True, quick=True)
    for text in (page.text, markdown):
        assert "Partial results. The run was interrupted: 25 of 28 trials and runs" in text
        assert "Quick budget: a try-out of the machinery" in text
    page, _ = report(tmp_path)
    assert "Partial results" not in page.text
    assert "Quick budget" not in page.text


def test_the_same_results_give_the_same_bytes(tmp_path):
    report(tmp_path / "a")
    report(tmp_path / "b")
    names = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(names) >= 4
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_large_report_stays_small(tmp_path):
    page = write_report(synthetic.large(), tmp_path).path
    assert page.stat().st_size < 2_000_000


def test_equations_cannot_leave_their_fence(tmp_path):
    results = synthetic.results()
    results.manifest["architectures"]["gru"]["equations"] = "```\n# not a heading\n```"
    write_report(results, tmp_path)
    assert "````text\n```\n# not a heading\n```\n````" in (tmp_path / "report.md").read_text(
        "utf-8"
    )


def test_a_report_needs_no_torch(tmp_path):
    code = "import sys, rnnbench.report; print({'torch','optuna','distributed'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.61, 0.87, (0.6, 0.9, 0.1)), (0.0, 1.0, (0.0, 1.0, 0.5)), (0.5, 0.5, (0.5, 0.505, 0.005))],
)
def test_an_axis_has_round_ends_that_hold_all_points(low, high, expected):
    found = axis([Interval((low + high) / 2, low, high, 5)])
    assert found == pytest.approx(expected)


SAMPLES = [
    ("gru", COPY, update, "temperature 1", f"text {update} <b>&``` |")
    for update in (100, 200, 400, 800, 1600)
]


def test_samples_are_shown_from_early_to_late_as_they_were_drawn(tmp_path):
    page, markdown = report(tmp_path, samples=SAMPLES)
    shown = [words.strip() for words in page.words if words.strip().startswith("text ")]
    assert shown == ["text 100 <b>&``` |", "text 800 <b>&``` |", "text 1600 <b>&``` |"]
    assert "after 1,600 updates" in page.text
    assert "````text\ntext 1600 <b>&``` |\n````" in markdown
    assert "What did it write?" not in report(tmp_path)[0].text


ANSWERS = [
    ("gru", COPY, update, f"{word} → {word[::-1]}", f"{word[0]}{update}")
    for word in ("ab", "cd", "<b>|")
    for update in (100, 200, 400)
]


def test_short_answers_stand_side_by_side_from_early_to_late(tmp_path):
    results = synthetic.results(samples=ANSWERS)
    results.manifest["settings"][COPY]["pattern"] = "sequence-to-sequence"
    results.manifest["evaluation"] = {"beam": 4}
    page = Page(write_report(results, tmp_path).path.read_text(encoding="utf-8"))
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "with a beam of 4" in page.text
    assert "| cd → dc | c100 | c200 | c400 |" in markdown
    cells = [words.strip() for words in page.words]
    row = cells.index("cd → dc")
    assert [words for words in cells[row + 1 :] if words][:3] == ["c100", "c200", "c400"]
    assert "<b>| → |>b<" in cells


def test_every_metric_of_a_task_is_shown_with_its_interval(tmp_path):
    results = synthetic.results(seeds=4)
    results.manifest["settings"][COPY]["metrics"] = ["accuracy", "cross_entropy", "solved"]
    scores = pd.DataFrame(
        {
            "architecture": name,
            "setting": COPY,
            "replicate": 0,
            "seed_index": seed,
            "split": split,
            "metric": metric,
            "value": value + seed / 10,
        }
        for name in ("gru", "lstm")
        for seed in range(4)
        for split, metric, value in [
            ("valid", "accuracy", 9.0),
            ("valid", "cross_entropy", 9.0),
            ("test", "accuracy", 0.2),
            ("test", "cross_entropy", 1.0),
            ("test", "solved", 0.0),
        ]
    )
    write_report(dataclasses.replace(results, scores=scores), tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "| architecture | accuracy | cross_entropy |" in markdown
    assert "| gru | 0.350 ± 0.205 | 1.150 ± 0.205 |" in markdown
    assert "What do all metrics say?" not in report(tmp_path)[1]


def test_long_answers_are_cut(tmp_path):
    results = synthetic.results(samples=[("gru", COPY, 100, "a → " + "b" * 300, "c" * 300)])
    results.manifest["settings"][COPY]["pattern"] = "sequence-to-sequence"
    write_report(results, tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert f"| a → {'b' * 155}… | {'c' * 159}… |" in markdown
    assert "sequences of the validation part" in markdown


def test_where_attention_looked_is_shown_as_shades(tmp_path):
    page, _ = report(tmp_path, spoken=True)
    html = page.source
    pairs = synthetic.results().runs[["architecture", "setting"]].drop_duplicates()
    assert html.count('<table class="attention">') == len(pairs)
    assert '<td class="w1" title="0.1"></td><td class="w9" title="0.9"></td>' in html
    assert '<th scope="col">a</th><th scope="col" class="word">bc</th>' in html
    assert "Where did it look?" not in report(tmp_path)[0].text


def test_where_answers_have_lengths_the_figure_of_sequence_lengths_is_left_out_if_empty(tmp_path):
    page, markdown = report(tmp_path, spoken=True)
    for text in (page.text, markdown):
        assert "Mean score of the runs that finished on the test targets of each length" in text
    plain_page, _ = report(tmp_path)
    assert "Score against the length of the answer" not in plain_page.text


def test_naive_predictors_stand_below_the_scores_and_who_beats_them_is_said(tmp_path):
    results = synthetic.results(scores=lambda name, *_: 0.9 if name == "gru" else 0.3)
    floors = {"unigram": 0.1, "4-gram": 0.5}
    results.manifest["settings"][COPY] |= {"floors": floors, "notes": ["3 texts were cut"]}
    page = Page(write_report(results, tmp_path).path.read_text(encoding="utf-8"))
    markdown = (tmp_path / "report.md").read_text("utf-8")
    said = (
        f"{COPY}: better than the best naive predictor (4-gram): gru with the whole 95 % interval"
    )
    for text in (page.text, " ".join(markdown.split())):
        assert said in text
        assert "3 texts were cut" in text
        assert "unigram" in text
    assert "| 4-gram (naive) | 0.500 |" in markdown


def test_what_each_search_froze_stands_in_both_reports(tmp_path):
    results = synthetic.results(seeds=2)
    results.trials["hp_learning_rate"] = 0.00314159
    results.trials["option_forget_bias"] = 2.5
    own = {"forget_bias": {"kind": "between", "low": 0.0, "high": 5.0}}
    results.manifest["search"]["own"] = {"lstm": own}
    path = write_report(results, tmp_path).path
    lines = (tmp_path / "report.md").read_text("utf-8").splitlines()
    assert "| setting | architecture | learning_rate | clip | of its own | hidden |" in lines
    assert f"| {COPY} | gru | 0.00314 | 1 |  | 30 |" in lines
    assert f"| {COPY} | lstm | 0.00314 | 1 | forget_bias=2.5 | 30 |" in lines
    assert f"{COPY} lstm 0.00314 1 forget_bias=2.5 30" in Page(path.read_text("utf-8")).text


def test_many_frozen_configurations_are_cut_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnbench.report.content.MOST_FROZEN", 1)
    page, markdown = report(tmp_path, seeds=1, trials=1)
    assert "1 more: see runs.csv." in markdown
    assert "1 more: see runs.csv." in page.text


def test_where_solved_means_the_best_naive_predictor_it_is_named(tmp_path):
    results = synthetic.results(settings=(("copy_memory", 20), ("sequential_digits", 9)), seeds=2)
    entry = results.manifest["settings"]["sequential_digits(length=9)"]
    entry |= {"floors": {"bag": 0.25, "pairs": 0.5}, "solved": 0.5}
    path = write_report(results, tmp_path).path
    page, markdown = Page(path.read_text("utf-8")), (tmp_path / "report.md").read_text("utf-8")
    for text in (page.text, markdown):
        assert "2/2 reach pairs" in text
        assert "/2 solved" in text
        assert "≥ 0.500 (pairs)" in text
        assert "How many runs solved the task, or reach the best naive predictor?" in text


def test_a_task_without_naive_predictors_may_be_solved_by_the_trivial_one():
    setting = {"direction": "max", "solved": 0.5, "trivial": 0.5}
    assert threshold(setting) == "trivial predictor"
    assert threshold(setting | {"floors": {"bag": 0.6}, "solved": 0.6}) == "bag"
    assert threshold(setting | {"floors": {"bag": 0.6}, "solved": 0.9}) == ""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("U as `init` says [1]", "U as `init` says [1]"),
        ("R&D in C# & b_x < 3", "R&D in C# & b_x &lt; 3"),
        ("&lt; a*b | c", "&amp;lt; a\\*b \\| c"),
        ("`a*b|c` and ` alone", "`a*b\\|c` and \\` alone"),
        ("[here](http://x) # [a]: b", "[here\\](http://x) # [a\\]: b"),
        ("# no heading", "\\# no heading"),
    ],
)
def test_only_what_markdown_would_read_is_escaped(text, written):
    assert escape(text) == written


def test_path_lengths_are_rounded(tmp_path):
    results = synthetic.results()
    results.manifest["settings"][COPY]["path"] = {"forward": 23 / 3, "bidirectional": 4.0}
    write_report(results, tmp_path)
    assert "| 7.7 / 4 |" in (tmp_path / "report.md").read_text("utf-8")


def test_what_stands_for_something_else_in_a_text_is_explained_where_it_appears(tmp_path):
    def caption(name, *texts):
        written = [("gru", COPY, 100 + n, "t", text) for n, text in enumerate(texts)]
        page, markdown = report(tmp_path / name, seeds=1, samples=written)
        assert ("<unk> stands" in page.text) == ("&lt;unk> stands" in markdown)
        assert ("in brackets, was" in page.text) == ("in brackets, was" in markdown)
        return page.text

    both = caption("both", "[he]llo", "[<unk>] there")
    assert "What stands first, in brackets, was given. <unk> stands for every symbol" in both
    plain = caption("plain", "hello")
    assert "in brackets, was" not in plain
    assert "<unk>" not in plain
