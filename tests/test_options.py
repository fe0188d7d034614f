import math

import pytest

from rnnbench.errors import OptionError, UnknownNameError
from rnnbench.options import Option, resolve

OPTIONS = {
    "leak": Option(0.5, low=0.0, high=1.0),
    "length": Option(50, low=4),
    "order": Option("rows", choices=("rows", "columns")),
    "peepholes": Option(True),
}


def test_options_are_filled_up_in_declared_order():
    values = resolve("cell `x`", OPTIONS, {"length": 8, "leak": 0.25})
    assert values == {"leak": 0.25, "length": 8, "order": "rows", "peepholes": True}
    assert list(values) == list(OPTIONS)


def test_an_option_is_numeric_if_its_default_is_a_float():
    assert [name for name, option in OPTIONS.items() if option.numeric] == ["leak"]


def test_a_whole_number_becomes_a_float_where_one_is_due():
    value = OPTIONS["leak"].check("leak", 1)
    assert value == 1.0
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("leak", "much", "option `leak` takes a number, not 'much'"),
        ("leak", True, "option `leak` takes a number, not True"),
        ("leak", -0.1, "option `leak` is at least 0, not -0.1"),
        ("leak", 1.5, "option `leak` is at most 1, not 1.5"),
        ("leak", math.nan, "option `leak` is at least 0, not nan"),
        ("length", 3, "option `length` is at least 4, not 3"),
        ("length", 8.0, "option `length` takes a whole number, not 8.0"),
        ("length", True, "option `length` takes a whole number, not True"),
        ("order", "diagonal", "option `order` takes one of rows, columns, not 'diagonal'"),
        ("peepholes", 1, "option `peepholes` takes true or false, not 1"),
        ("order", None, "option `order` takes a word, not None"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_does(name, value, message):
    with pytest.raises(OptionError) as caught:
        resolve("cell `x`", OPTIONS, {name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_bounds_belong_to_the_range(value):
    assert OPTIONS["leak"].check("leak", value) == value


def test_an_unknown_option_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="unknown option of cell `x` `leek`; did you mean"):
        resolve("cell `x`", OPTIONS, {"leek": 1.0})
