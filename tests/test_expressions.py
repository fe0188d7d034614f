"""Expressions of a pool: which are one object, and which of the author's lines each names."""

import pytest
import torch

from rnnbench.recurrence.expressions import Buffer, Call, Leaf, Pool

DIV = torch.ops.aten.div.Tensor_mode
TRUNC, FLOOR = (("rounding_mode", "trunc"),), (("rounding_mode", "floor"),)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def x(pool: Pool) -> Leaf:
    return pool.leaf(Buffer("input", 0), 0, 4)


def call(pool: Pool, x: Leaf, options, line: str) -> Call:
    made = pool.call(DIV, (x, 2.0), options, x.width, line)
    assert isinstance(made, Call)
    return made


def test_equal_expressions_of_two_lines_are_one_and_name_the_first(pool, x):
    first, second = (call(pool, x, TRUNC, f"cell.py:{number}") for number in (1, 2))
    assert first is second
    assert first.line == "cell.py:1"


def test_an_operation_with_other_options_or_of_other_columns_names_its_own_line(pool, x):
    h = pool.leaf(Buffer("state", 0), 0, 4)
    made = [call(pool, x, TRUNC, "cell.py:1"), call(pool, x, FLOOR, "cell.py:2")]
    made.append(call(pool, h, FLOOR, "cell.py:3"))
    assert [each.line for each in made] == ["cell.py:1", "cell.py:2", "cell.py:3"]


def test_a_part_of_the_columns_names_the_line_of_the_whole(pool, x):
    h = pool.leaf(Buffer("state", 0), 0, 4)
    call(pool, x, FLOOR, "cell.py:1")
    (part,) = pool.cut((call(pool, h, FLOOR, "cell.py:2"),), 1, 2)
    assert (part.width, part.line) == (2, "cell.py:2")


def test_an_expression_with_a_part_replaced_names_the_same_line(pool, x):
    h, g = (pool.leaf(Buffer(kind, 0), 0, 4) for kind in ("state", "gates"))
    call(pool, x, FLOOR, "cell.py:1")
    replaced = pool.replaced(call(pool, h, FLOOR, "cell.py:2"), {h: g}, {})
    assert (replaced.args, replaced.line) == ((g, 2.0), "cell.py:2")
