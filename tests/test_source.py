from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbench.errors import SuiteError
from rnnbench.suite.source import MOST_BYTES, parse, read_source


def refusal(text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        parse("x.yaml", text)
    return str(caught.value)


def test_values_mean_what_yaml_1_2_says():
    text = "{a: 1e-3, b: 1.0e-4, c: 012, d: yes, e: 1_000, f: ~, g: 'true', h: True, i: -.5}"
    assert parse("x.yaml", text).tree == {
        "a": 0.001, "b": 0.0001, "c": 12, "d": "yes", "e": "1_000", "f": None, "g": "true",
        "h": True, "i": -0.5,
    }  # fmt: skip


def test_an_error_points_at_the_key_or_at_the_value():
    source = parse("x.yaml", "a:\n  b: [1, two]\n")
    assert str(source.error(("a", "b"), "bad")) == "x.yaml:2:3: bad\n  2 |   b: [1, two]\n    |   ^"
    assert str(source.error(("a", "b", 1), "bad")).endswith("    |          ^^^")
    assert str(source.error(("a", "b"), "bad", value=True)).endswith("    |      ^^^^^^^^")


def test_what_is_missing_is_reported_at_the_key_around_it():
    source = parse("x.yaml", "a:\n  b: 1\n")
    assert str(source.error(("a", "c", "d"), "bad", value=True)).startswith("x.yaml:1:1: bad")


def test_an_empty_value_is_reported_at_its_key():
    source = parse("x.yaml", "a:\nb: 1\n")
    assert str(source.error(("a",), "bad", value=True)).startswith("x.yaml:1:1: bad\n  1 | a:")


def test_carets_stand_under_the_culprit_in_a_long_line():
    source = parse("x.yaml", "{" + ", ".join(f"k{n}: {n}" for n in range(100, 300)) + "}")
    _, line, carets = str(source.error(("k250",), "bad")).split("\n")
    assert len(line) < 120
    assert line[carets.index("^") : carets.rindex("^") + 1] == "k250"


def test_carets_stand_under_the_culprit_behind_a_tab_and_windows_line_ends():
    source = parse("x.yaml", "# 1\r\n{b:\t[x]}\r\n")
    assert str(source.error(("b", 0), "bad")) == "x.yaml:2:6: bad\n  2 | {b: [x]}\n    |      ^"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a: !!python/object:os.system 'x'", "1:4", "the tag `!!python/object:os.system`"),
        ("a: !x 1", "1:4", "the tag `!x`"),
        ("a: &x 1", "1:4", "anchors (&) and aliases (*)"),
        ("a: *x", "1:4", "anchors (&) and aliases (*)"),
        ("a: 1\nb: 2\na: 3", "3:1", "duplicate key `a`; first on line 1"),
        ("[1, 2]: 3", "1:1", "cannot be a key"),
        ("? {a: b}\n: 3", "1:3", "cannot be a key"),
        ("1: 3", "1:1", "the key 1 is no text"),
        ('"a\\nb": 3', "1:1", "a key is visible characters on one line"),
        ("true: 3", "1:1", "the key true is no text"),
        ("a: 1\n---\nb: 2", "2:1", "a second document"),
        ("a: .nan", "1:4", "`.nan` is not a finite number"),
        ("a: [-.inf]", "1:5", "`-.inf` is not a finite number"),
        ("a: 1e999", "1:4", "too large a number"),
        ("a: " + "9" * 5000, "1:4", "too large a whole number"),
        ("a: 9223372036854775808", "1:4", "too large a whole number"),
        ("a: b\x07", "1:5", "U+0007"),
        ("a: b\x00", "1:5", "U+0000"),
        ('a: "\\a"', "1:4", "U+0007"),
        ("a: b\rc", "1:5", "U+000D"),
        ('a: "\\UFFFFFFFF"', "1:2", "an escape that stands for no character"),
        ("a:\n\tb: 1", "2:1", "a tab; use spaces"),
        ("a: [1, 2\nb: 3\n", "1:4", "a list that is not closed"),
        ("a: {b: 1\n", "1:4", "a mapping that is not closed"),
        ("a: 'x\nb: 3\n", "1:4", "never closed"),
        ("a: b: c", "1:5", "a second `:`"),
        ("a: @x", "1:4", "needs quotes"),
        ("- a\nb: 1", "2:1", "does not continue"),
    ],
)  # fmt: skip
def test_hostile_text_is_refused_where_it_stands(text, place, said):
    message = refusal(text)
    assert message.startswith(f"x.yaml:{place}: ")
    assert said in message
    assert message.count("\n") == 2


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_before_it_is_followed(bracket):
    assert "nested deeper than 32 levels" in refusal(bracket * 5000)


def test_an_alias_bomb_is_refused_at_its_first_anchor():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refusal(bomb).startswith("x.yaml:1:4: anchors")


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab1: -[]{},\n\t'\"!&*?|>%@#\\x\ufeff\u2028é~<"), max_size=30))
def test_any_text_is_read_or_refused_by_name(text):
    try:
        source = parse("x.yaml", text)
    except SuiteError as error:
        assert str(error).startswith("x.yaml:")
    else:
        assert str(source.error((), "bad")).startswith("x.yaml:")


def test_a_file_that_is_not_utf_8_names_the_byte(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_bytes("é: 1\nn: é".encode() + b"\xe9\n")
    with pytest.raises(SuiteError) as caught:
        read_source(path)
    assert f"{path}:2:5: byte 11 (0xe9) is not UTF-8" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_source(path).text == "a: 1\n"
    path.write_bytes(b"\xef\xbb\xbfa: \xff\n")
    with pytest.raises(SuiteError, match=r":1:4: byte 6 \(0xff\)"):
        read_source(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"[" * (MOST_BYTES + 1))
    with pytest.raises(SuiteError, match="larger than 1,000,000 bytes"):
        read_source(path)


def test_a_missing_file_and_a_folder_name_the_suites_nearby(tmp_path: Path):
    (tmp_path / "digits.yaml").write_text("a: 1")
    with pytest.raises(SuiteError, match=r"no such file; did you mean `.*digits\.yaml`\?"):
        read_source(tmp_path / "digit.yaml")
    with pytest.raises(SuiteError, match=r"no such file; in that folder: digits\.yaml"):
        read_source(tmp_path / "qqqqqqqqqq")
    with pytest.raises(SuiteError, match=r"a folder, not a suite file; in it: digits\.yaml"):
        read_source(tmp_path)
    with pytest.raises(SuiteError, match="there is no such file"):
        read_source(tmp_path / "no" / "x.yaml")
    with pytest.raises(SuiteError, match="cannot be read"):
        read_source(tmp_path / ("a" * 300))


def test_a_device_is_no_suite():
    with pytest.raises(SuiteError, match="not a regular file"):
        read_source(Path("/dev/null"))


def test_an_override_replaces_one_value_and_is_named_in_errors():
    source = parse("x.yaml", "a: {b: [1, 2]}\nc: 3\n")
    changed = source.override("a.b.1=[5]")
    assert (source.tree["a"]["b"], changed.tree["a"]["b"]) == ([1, 2], [1, [5]])
    assert str(changed.error(("a", "b", 1, 0), "bad")) == "--set a.b.1=[5]: bad"
    assert str(changed.error(("a", "b"), "bad")).startswith("x.yaml:1:5: bad (after --set a.b.1")
    assert str(changed.error(("c",), "bad")).startswith("x.yaml:2:1: bad\n")


def test_an_override_reaches_keys_with_dots_and_optional_sections():
    source = parse("x.yaml", "a: {v1.5: {b: 1}}\n")
    assert source.override("a.v1.5.b=2").tree == {"a": {"v1.5": {"b": 2}}}
    assert source.override("search.space.clip=1", ["search", "space"]).tree["search"] == {
        "space": {"clip": 1}
    }


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("a.b", "write a path, `=` and a value"),
        ("=3", "write a path, `=` and a value"),
        ("aa.b=3", "unknown key of the suite `aa`; did you mean `a`?"),
        ("a.bb.c=3", "unknown key of a `bb`; did you mean `b`?"),
        ("a.b.2=3", "`a.b` is a list; after it comes 0 to 1, not `2`"),
        ("c.d=3", "`c` is 3, which has no `d`"),
        ("c=[1", "not YAML: a list that is not closed"),
        ("c=!!x 1", "the tag `!!x` is refused"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused(assignment, said):
    source = parse("x.yaml", "a: {b: [1, 2]}\nc: 3\n")
    with pytest.raises(SuiteError) as caught:
        source.override(assignment)
    assert str(caught.value).startswith(f"--set {assignment}: ")
    assert said in str(caught.value)
