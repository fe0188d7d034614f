"""A results folder from a stranger: what it says is shown, and nothing of it is obeyed."""

import json
import os
import re
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from folders import manifest, write_folder
from markdown_it import MarkdownIt
from studies import study
from typer.testing import CliRunner

from rnnbench.cli import app, main
from rnnbench.database import connected
from rnnbench.errors import RnnbenchError, StoreError
from rnnbench.options import Choice
from rnnbench.salvage import sealed
from rnnbench.store import Store, read_members

MARK = "HOSTILE"

TEXTS = {
    "markup": f"\"'></td></p></script><script>{MARK}</script><img src=x onerror=alert(1)><b id=x>",
    "template": f"{{{{ 7 * 7 }}}}{{% include '/etc/passwd' %}}${{7}}%(x)s{{0.real}}{MARK}",
    "markdown": f"|a|\n\n# {MARK}\n- x\n![i](http://e.x/i.png) [l](javascript:alert(1)) `<b>` <b>*",
    "fence": f"```\n````\n~~~\n<script>{MARK}</script>\n[l]: javascript:1\n[l]",
    "terminal": f"\x1b[2J\x1b]52;c;aGk=\x07\x1b]8;;http://e.x\x1b\\{MARK}\x9b31m\r\x08\u202e\u200b\x00",
    "mathematics": f"$\\input{{/etc/passwd}}\\frac{{1}}{{{MARK}}}$ $ ^ \\",
    "formula": f'=HYPERLINK("http://e.x","{MARK}")\t+1',
}

WORDS = {
    *(
        "cell",
        "standard",
        "test",
        "choice",
        "log",
        "between",
        "min",
        "max",
        "none",
        "random",
        "tpe",
    ),
    *("state", "concatenation", "many-to-many"),
}
"""What a manifest says by words of rnnbench's own."""

NAMES = {
    *("lstm", "gru", "both", "adding_uniform(length=10)", "4-gram", "biases", "initialisation"),
    *("python", "threads_per_worker", "MKL_CBWR", "tf32", "length", "optimizer"),
}
"""The keys of a manifest that are anybody's."""


def soiled(value, text):
    """Put a text behind every name and word that is anybody's to choose."""
    match value:
        case dict():
            return {
                name + text if name in NAMES else name: soiled(one, text)
                for name, one in value.items()
            }
        case list() | tuple():
            return [soiled(one, text) for one in value]
        case str() if value not in WORDS:
            return value + text
    return value


def hostile(folder, text):
    """A finished folder that has something everywhere, with a text behind all that is text."""
    # one value each, since names decide what is drawn
    shared, own = {"learning_rate": Choice((0.001,))}, {"forget_bias": Choice((1.0,))}
    one = study(trials=3, confirm=0, seeds=2, shared=shared, own=own)
    net = replace(one.template.architecture, structure={f"init{text}": f"uniform{text}"})
    lstm = replace(
        one,
        setting=one.setting + text,
        architecture="lstm" + text,
        backend_reason="asked for" + text,
        compiler="c" + text,
        way_reason="w" + text,
        template=replace(
            one.template,
            architecture=net,
            metrics=(("mean_squared_error" + text, "1" + text), ("solved", "1")),
        ),
    )
    both = replace(lstm, architecture="both" + text, skipped="looks ahead" + text)
    gru = replace(lstm, architecture="gru" + text)
    gru = replace(gru, template=replace(gru.template, architecture=replace(net, cell="gru" + text)))

    def change(ask, finished):
        def named(score):
            return replace(
                score, metric=score.metric + ("" if score.metric in ("solved", "loss") else text)
            )

        finished = replace(
            finished,
            scores=tuple(map(named, finished.scores)),
            curve=tuple(replace(point, metric=point.metric + text) for point in finished.curve),
            samples=tuple(
                replace(s, title=s.title + text, text=s.text + text) for s in finished.samples
            ),
            alignments=tuple(
                replace(
                    a, read=tuple(r + text for r in a.read), said=tuple(s + text for s in a.said)
                )
                for a in finished.alignments
            ),
            shown=tuple(
                replace(
                    s,
                    read=s.read + text,
                    right=tuple(r + text for r in s.right),
                    said=s.said + text,
                    words=tuple(w + text for w in s.words),
                )
                for s in finished.shown
            ),
            worker_host="here" + text,
            hardware_host="CPU" + text,
            finished_at="2026" + text,
            weights=None,
        )
        if ask.study.architecture == gru.architecture and ask.seed_index == 1:
            return replace(finished, status="error", reason="it broke" + text, scores=())
        return finished

    said = manifest(
        [
            replace(each, architecture=each.architecture.removesuffix(text))
            for each in (lstm, gru, both)
        ]
    )
    said["settings"]["adding_uniform(length=10)"] |= {
        "notes": ["a note"],
        "leaks": ["a leak"],
        "floors": {"4-gram": 0.2},
        "test": {"count": 5, "of": "sequence", "worth": 0.2},
        "metrics": ["mean_squared_error", "accuracy"],
    }
    said["search"]["own"] = {"lstm": {"forget_bias": {"kind": "choice", "values": [1.0]}}}
    said["search"]["pruner"] = {"kind": "hyperband", "factor": 3}
    said["warnings"] = ["a warning"]
    said["evaluation"] = {"beam": 4}
    entry = said["settings"]["adding_uniform(length=10)"]
    entry["pattern"] = "many-to-many"
    write_folder(
        folder,
        [lstm, gru, both],
        change=change,
        made_by={
            "rnnbench": "1" + text,
            "torch": "2" + text,
            "cell": "c" + text,
            "task": "t" + text,
        },
    )
    dirty = soiled(said, text)
    dirty |= {"suite": said["suite"], "match": {f"parameters{text}": 5000}}
    (folder / "manifest.json").write_text(json.dumps(dirty))
    return folder


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes; what links and runs, in full."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self._open = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self._open = tag
        kept = ("id", "class", "href", "style", "srcset", "type", "http-equiv", "tabindex", "role")
        shown = [(name, value if name in kept else "") for name, value in attributes]
        self.found.append((tag, shown))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self._open = ""
        self.found.append((f"/{tag}", []))

    def handle_data(self, data):
        if self._open == "script":
            self.scripts.append(data)


def structure(markdown):
    """The blocks of a Markdown page, and whatever in their lines is a link, an image or HTML."""
    acting = ("link_open", "image", "html_inline")
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        found.append((token.type, token.markup if token.type == "heading_open" else ""))
        inner = [one for one in token.children or () if one.type in acting]
        found += [(one.type, one.attrs.get("src") or one.attrs.get("href")) for one in inner]
    return found


WATCHED = """
import os, sys
import matplotlib.font_manager  # which looks for fonts with a program once
home = os.path.realpath(sys.argv[1]); mark = sys.argv[2]; allowed = home + os.sep
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def hook(event, arguments):
    bad = event.startswith(("subprocess.", "socket.connect", "socket.bind", "os.exec", "os.system",
        "os.posix_spawn", "os.fork", "pickle.find_class", "os.symlink"))
    if event == "open" and isinstance(arguments[0], (str, bytes)) and (arguments[2] or 0) & WRITES:
        path = os.path.realpath(os.fsdecode(arguments[0]))
        bad = not path.startswith(allowed) and path != os.devnull
    if event in ("os.rename", "os.remove", "os.mkdir", "os.chmod"):
        bad = not os.path.realpath(os.fsdecode(arguments[0])).startswith(allowed)
    if event == "compile":
        bad = mark in str(arguments[0])
    if event == "exec":
        bad = mark in str(getattr(arguments[0], "co_consts", ""))
    if bad:
        os.write(2, f"FORBIDDEN {event} {arguments!r}\\n".encode())
        os._exit(99)
sys.argv = ["rnnbench", *sys.argv[3:]]
from rnnbench.cli import main
sys.addaudithook(hook)
main()
"""


def rnnbench(folder, *words, cwd=None):
    """Run a command in a process that ends at anything but reading and writing in the folder."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder.parent), MARK, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=cwd,
    )
    assert "FORBIDDEN" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = hostile(tmp_path_factory.mktemp("honest") / "results", "")
    assert rnnbench(folder, "report", folder).returncode == 0
    return folder


TOGETHER = (
    ("markup", "template", "mathematics"),
    ("markdown", "formula"),
    ("fence",),
    ("terminal",),
)
"""Texts of one folder, one behind another: each must be able to do what it could alone."""


@pytest.mark.parametrize("kinds", TOGETHER, ids=" ".join)
def test_whatever_a_strangers_texts_say_the_report_is_made_of_the_same_parts(
    kinds, honest, tmp_path
):
    folder = hostile(tmp_path / "results", "".join(TEXTS[kind] for kind in kinds))
    done = rnnbench(folder, "report", folder)
    assert done.returncode == 0, done.stderr
    assert not {c for c in done.stdout + done.stderr if not (c.isprintable() or c == "\n")}
    pages = [Structure((one / "report.html").read_text("utf-8")) for one in (honest, folder)]
    assert pages[0].found == pages[1].found
    assert len(pages[0].scripts) == len(pages[1].scripts)
    assert pages[0].scripts[-1] == pages[1].scripts[-1]
    assert json.loads(pages[1].scripts[0])["suite"] == "long_dependency"
    texts = [(one / "report.md").read_text("utf-8") for one in (honest, folder)]
    assert structure(texts[0]) == structure(texts[1])
    assert MARK in texts[1]
    for drawing in (folder / "figures").glob("*.svg"):
        assert not re.search(r"<(script|foreignObject|image|a)\b|\son\w+=", drawing.read_text())
    names = [{p.relative_to(one).as_posix() for p in one.glob("*")} for one in (honest, folder)]
    assert names[0] == names[1]


def damaged(folder, said):
    """Every command that reads a folder says on one line that it is damaged, and how."""
    out = str(folder.parent / "out")
    for words in (["report"], ["best"], ["merge", "--results", out]):
        error = CliRunner().invoke(app, [*words, str(folder)]).exception
        assert isinstance(error, RnnbenchError), (words, error)
        assert "\n" not in str(error)
        assert len(str(error)) < 700
        assert re.search(said, str(error)), error
    assert not Path(out).exists()


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "results", [study(trials=3, confirm=0, seeds=2)])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("budget", "seeds"), 10**9, "asks for 1,000,000"),
        (("budget", "trials"), 10**12, "asks for 1,000,000"),
        (("search", "generation"), 0, "asks for 1,000,"),
        (("search", "generation"), 10**9, "asks for 1,000,000"),
        (("search", "shared", "learning_rate", "low"), 5.0, "contradict one another"),
        (("template", "recipe"), [[[]]], "template.recipe"),
    ],
)
def test_studies_that_ask_for_too_much_or_nonsense_are_refused(folder, path, value, said):
    studies = json.loads((folder / "studies.json").read_text())
    place = studies[0]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (folder / "studies.json").write_text(json.dumps(studies))
    damaged(folder, said)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1e999", "\ud800"])
def test_json_that_is_deep_or_odd_is_refused(folder, text):
    (folder / "studies.json").write_text(text, errors="surrogatepass")
    damaged(folder, r"studies\.json is damaged")


def test_a_file_that_is_larger_than_it_looks_is_not_read(folder):
    with (folder / "studies.json").open("r+") as file:
        file.truncate(2**40)
    damaged(folder, r"studies\.json is damaged: it has 1,099,511,627,776 bytes")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE members; CREATE VIEW members AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL "
         "SELECT n FROM r) SELECT n AS key, n AS member, n AS finished, n AS made_by FROM r",
         "holds more than rows: 'members'"),
        ("CREATE TRIGGER t AFTER INSERT ON members BEGIN DELETE FROM members; END",
         "holds more than rows: 't'"),
        ("CREATE VIRTUAL TABLE v USING fts5(x)", "holds more than rows: 'v'"),
        ("DROP TABLE members; CREATE TABLE members (key, member, made_by, finished GENERATED "
         "ALWAYS AS (hex(zeroblob(500000000))))", "holds more than rows: 'finished'"),
    ],
)  # fmt: skip
def test_a_store_that_is_a_program_or_holds_other_things_is_refused(folder, statement, said):
    with sqlite3.connect(folder / "store.sqlite") as database:
        database.executescript(statement)
    database.close()
    damaged(folder, said)


def test_a_journal_that_names_a_file_to_delete_is_refused(folder, tmp_path):
    name = str(tmp_path / "mine.txt").encode()
    (tmp_path / "mine.txt").write_text("mine")
    magic = bytes.fromhex("d9d505f920a163d7")
    pages = (folder / "store.sqlite").stat().st_size // 4096
    header = magic + struct.pack(">IIIII", 0, 1, pages, 512, 4096)
    page = struct.pack(">I", 2**30 // 4096 + 1)
    tail = page + name + struct.pack(">II", len(name), sum(name)) + magic
    (folder / "store.sqlite-journal").write_bytes(header.ljust(512, b"\0") + tail)
    damaged(folder, "store.sqlite-journal names another file to delete")
    with pytest.raises(StoreError, match="names another file to delete"):
        Store(folder).__enter__()
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("side", ["-journal", "-wal", "-shm"])
def test_what_lies_beside_a_store_must_be_a_file_of_its_own(folder, tmp_path, side):
    (tmp_path / "mine").write_text("mine")
    (folder / f"store.sqlite{side}").symlink_to(tmp_path / "mine")
    damaged(folder, f"store.sqlite{side} is a link")
    (folder / f"store.sqlite{side}").unlink()
    (folder / f"store.sqlite{side}").mkdir()
    damaged(folder, f"store.sqlite{side} is no file; move it away")


@pytest.mark.parametrize("what", ["check", "index"])
def test_a_table_that_computes_is_not_checked_but_read_as_damaged(folder, what):
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        endless = "length(hex(zeroblob(400000000 + length(key))))"
        if what == "check":
            change = f"replace(sql, 'digest TEXT', 'digest TEXT CHECK ({endless} > 0)')"
            database.execute(f"UPDATE sqlite_schema SET sql = {change} WHERE name = 'members'")
        else:
            database.execute("CREATE INDEX i ON members (length(key))")
            change = f"'CREATE INDEX sqlite_autoindex_members_2 ON members ({endless})'"
            database.execute(
                f"UPDATE sqlite_schema SET name = 'sqlite_autoindex_members_2', sql = {change} "
                "WHERE name = 'i'"
            )
    said = []
    assert read_members(folder, said.append)
    assert "its table of members is declared in another way" in said[0]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE members",
        "UPDATE members SET finished = '[1]'",
        "UPDATE members SET made_by = '{\"cell\": [1]}'",
        "UPDATE members SET finished = '" + "[" * 100_000 + "'",
        "UPDATE members SET member = '{}'",
        "DROP TABLE members; CREATE TABLE members (key, member, finished, made_by); "
        "INSERT INTO members VALUES (1, 2, 3.5, x'00ff')",
    ],
    ids=["no table", "finished", "made_by", "deep", "member", "types"],
)
def test_rows_that_are_no_members_are_named_and_left_out(folder, statement):
    with sqlite3.connect(folder / "store.sqlite") as database:
        database.executescript(statement)
    database.close()
    resealed(folder)
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 0, done.exception
    assert re.search("damaged|not as they were written", done.stderr)
    words = ["merge", "--results", str(folder.parent / "out"), str(folder)]
    assert isinstance(CliRunner().invoke(app, words).exception, RnnbenchError)


def resealed(folder):
    """Give every row the digest that fits, as a stranger can."""
    database = connected(folder / "store.sqlite")
    with closing(database):
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema")]
        if b"members" in tables:
            for row in database.execute("SELECT * FROM members").fetchall():
                if len(row) == 5:
                    digest = sealed(*row[:4])[4].decode()
                    change = "UPDATE members SET digest = ? WHERE key = ?"
                    database.execute(change, (digest, row[0].decode()))


@pytest.mark.parametrize("name", ["studies.json", "store.sqlite"])
def test_a_link_in_place_of_a_file_is_not_followed(folder, name):
    away = folder.parent / name
    (folder / name).rename(away)
    (folder / name).symlink_to(away)
    damaged(folder, f"{name} is a link")


def test_figures_are_not_drawn_behind_a_link(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (folder / "figures").symlink_to(tmp_path / "elsewhere")
    done = rnnbench(folder, "report", folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "figures is a link" in done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_link_in_place_of_a_report_is_replaced_and_its_target_left_alone(folder, tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    for name in ("report.html", "report.md", "runs.csv"):
        (folder / name).symlink_to(target)
    assert rnnbench(folder, "report", folder).returncode == 0
    assert target.read_text() == "precious"
    assert not (folder / "report.html").is_symlink()


@pytest.fixture
def refused(monkeypatch, capsys):
    """Run a command that ends with one line of error; return all that it said."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rnnbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        out, err = capsys.readouterr()
        # lines before it name what is damaged
        said = [line.partition(":")[0] for line in err.splitlines()]
        assert said == ["damaged"] * (len(said) - 1) + ["error"]
        return out + err

    return run


@pytest.mark.parametrize("name", ["../../precious", "/etc/hostname", "..", "", "a\x1b[2J"])
def test_weights_are_taken_from_the_folder_alone(folder, tmp_path, refused, name):
    with sqlite3.connect(folder / "store.sqlite") as database:
        for key, text in database.execute("SELECT key, finished FROM members").fetchall():
            changed = json.dumps(json.loads(text) | {"weights": name})
            database.execute("UPDATE members SET finished = ? WHERE key = ?", (changed, key))
    database.close()
    resealed(folder)
    (tmp_path / "precious").write_text("precious")
    error = refused("best", folder, "--weights", tmp_path / "copy")
    assert "names no file" in error
    assert not {c for c in error if not (c.isprintable() or c == "\n")}
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("reference",), "nobody"),
        (("primary_contrasts",), [["lstm", "nobody"]]),
        (("search", "replicates"), 0),
        (("settings", "adding_uniform(length=10)", "trivial"), "0.1"),
        (("settings", "adding_uniform(length=10)", "oracle"), 1e308),
        (("settings", "adding_uniform(length=10)", "direction"), "up"),
        (("hardware", "memory_bytes"), "much"),
        (("git",), "commit"),
        (("architectures",), {}),
        (("budget", "updates"), None),
        (("question",), ["?"]),
    ],
)
def test_a_manifest_of_another_shape_is_refused_with_the_place(folder, refused, path, value):
    found = json.loads((folder / "manifest.json").read_text())
    place = found
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(found))
    assert "is damaged" in refused("report", folder)
