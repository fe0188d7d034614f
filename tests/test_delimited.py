import pytest

from rnnbench import DataError
from rnnbench_tasks.delimited import read_table


def read(tmp_path, text, name="t.csv", separator="auto", quoted_tabs=False):
    path = tmp_path / name
    path.write_text(text)
    return read_table(path, "utf-8", separator, quoted_tabs=quoted_tabs)


@pytest.mark.parametrize(
    ("text", "separator", "width"),
    [
        ("a,b\n1,2\n", "comma", 2),
        ("a;b\n1;2\n", "semicolon", 2),
        ("a\tb\n1\t2\n", "tab", 2),
        # decimal commas, in the first row too
        ("a;b\n1,5;2\n", "semicolon", 2),
        ("0,5;1,5\n2,5;3,5\n", "semicolon", 2),
        # marks within texts, in the first row or in later ones
        ("dull, cold;no\nwarm;yes\ngood, new;yes\n", "semicolon", 2),
        ("warm;cold,no\nwarm,yes\nnew,yes\n", "comma", 2),
        ('"so; so",no\n"a; b",yes\n', "comma", 2),
        ("so, so; yes\tno\nnew, old; it\tyes\n", "tab", 2),
        ('"so\tno\nnew\tyes\n', "tab", 2),
        # nothing separates anything
        ("a\n1\n2\n", "comma", 1),
    ],
)
def test_the_first_rows_tell_the_separator(tmp_path, text, separator, width):
    table = read(tmp_path, text)
    assert (table.separator, table.width) == (separator, width)
    assert read(tmp_path, text, separator=separator).rows == table.rows


def test_a_name_may_say_that_there_are_tabs(tmp_path):
    assert read(tmp_path, "a,b\n1,2\n", "t.tsv").separator == "tab"
    assert read(tmp_path, "a,b\n1,2\n", "t.tsv.gz").separator == "tab"


def test_quotes_hold_a_cell_together_between_tabs_only_where_they_are_said_to(tmp_path):
    text = 'a\t"b"\n1\t2\n'
    assert read(tmp_path, text).rows[0] == (1, ["a", '"b"'])
    assert read(tmp_path, text, quoted_tabs=True).rows[0] == (1, ["a", "b"])


def test_the_line_of_a_row_is_where_it_begins(tmp_path):
    table = read(tmp_path, 'a,b\n\n"1\n2",3\n4,5\n')
    assert [line for line, _ in table.rows] == [1, 3, 5]


def test_a_row_of_another_width_is_told_with_the_separator(tmp_path):
    message = (
        r":3: 3 cells where the first row has 2; correct the row \(cells are separated by a comma: "
        r"if not, set `separator` to tab or semicolon\)"
    )
    with pytest.raises(DataError, match=message):
        read(tmp_path, "a,b\n1,2\n1,2,3\n")
