"""Which members start as one group."""

from dataclasses import replace

from studies import study, template

from rnnbench.campaign import Campaign
from rnnbench.contests import Contest
from rnnbench.grouping import MOST, next_group

EIGHT = MOST["cpu"]


def asks(*, trials=8, way="together", member_bytes=1, architectures=("a",), **options):
    base = replace(template(backend="kernel"), way=way)
    studies = [
        replace(
            study(architecture=name, trials=trials, **options),
            template=replace(base, architecture=replace(base.architecture, hidden=hidden)),
            member_bytes=member_bytes,
        )
        for hidden, name in enumerate(architectures, 5)
    ]
    return list(Campaign(studies, {}).missing())


def test_members_of_one_study_start_together_and_no_others():
    missing = asks(architectures=("a", "b"))
    group = next_group(missing, (), 1, 2**30)
    assert len(group) == len(missing) / 2
    assert {ask.study.architecture for ask in group} == {"a"}
    rest = [ask for ask in missing if ask not in group]
    assert {ask.study.architecture for ask in next_group(rest, (), 1, 2**30)} == {"b"}


def sizes(missing, free):
    """Return the sizes of the groups that start on free workers."""
    left, found = list(missing), []
    while left and free:
        group = next_group(left, (), free, 2**30)
        left = [ask for ask in left if ask not in group]
        found.append(len(group))
        free -= 1
    return found


def test_what_is_left_is_shared_evenly_among_the_free_workers():
    missing = asks()
    assert len(missing) == 4
    assert [sizes(missing, free) for free in (1, 2, 3, 9)] == [[4], [2, 2], [2, 1, 1], [1] * 4]


def test_more_than_fit_in_a_group_are_spread_evenly_over_several():
    many = copies(EIGHT + 2)
    assert sizes(many, 1) == [EIGHT // 2 + 1]
    assert sizes(many, 2) == [EIGHT // 2 + 1] * 2
    assert sizes(many, 3) == [4, 3, 3]


def test_a_group_is_no_larger_than_the_memory_and_never_empty():
    assert len(next_group(asks(member_bytes=10), (), 1, 30)) == 2
    assert len(next_group(asks(member_bytes=10), (), 1, 9)) == 1


def copies(count):
    """Return members that differ in their seeds."""
    first = asks(trials=1, seeds=1)[0]
    seeds = [replace(first.member.seed, index=index) for index in range(count)]
    return [replace(first, member=replace(first.member, seed=seed)) for seed in seeds]


def test_a_group_has_a_largest_size():
    assert len(next_group(copies(3 * EIGHT), (), 1, 2**40)) == EIGHT


def test_members_that_train_in_turn_start_one_by_one():
    missing = asks(way="in turn")
    assert next_group(missing, (), 1, 2**30) == missing[:1]


def test_a_contest_among_networks_of_other_shapes_is_held_one_by_one():
    contest = Contest((5,), 2, "x")
    several = [replace(ask, member=replace(ask.member, contest=contest)) for ask in asks(trials=4)]
    assert len(next_group(several, several, 1, 2**30)) == len(several)
    wider = replace(several[1].member.architecture, hidden=6)
    several[1] = replace(several[1], member=replace(several[1].member, architecture=wider))
    assert next_group(several, several, 1, 2**30) == several[:1]
