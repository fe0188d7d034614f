import io
from dataclasses import replace

import pytest
from rich.console import Console
from studies import play, study

from rnnbench.campaign import Campaign, Count
from rnnbench.cli.progress import Clock, Lines, View, display, outcome, place, span
from rnnbench.member import Finished
from rnnbench.runner import Ended, Launched

PLACE = ("lstm", "adding_uniform(length=10)")


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def count(done: int, left: int, failed: int = 0) -> Count:
    return Count(done, failed, {PLACE: left})


def test_what_is_left_goes_by_what_members_of_the_study_took() -> None:
    time = Time()
    clock = Clock(workers=2, count=count(0, 10), now=time)
    assert clock.left is None
    ask = play(study())[0][0]
    clock.take(Launched(ask))
    time.now = 4.0
    assert clock.running == [(ask, 4.0)]
    assert clock.take(Ended(ask, Finished("ok"), count(1, 9))) == 4.0
    assert clock.left == 9 * 4.0 / 2
    assert clock.running == []


def test_members_of_a_group_took_their_shares_of_its_time() -> None:
    time = Time()
    clock = Clock(workers=1, count=count(0, 10), now=time)
    asks = play(study())[0][:2]
    for ask in asks:
        clock.take(Launched(ask))
    time.now = 4.0
    shares = Finished("ok", seconds={"train": 1.5, "evaluate": 0.5, "update": 0.1})
    assert [clock.take(Ended(ask, shares, count(1, 9))) for ask in asks] == [2.0, 2.0]
    assert clock.left == 9 * 2.0


def test_a_study_not_seen_yet_is_taken_to_be_like_the_others() -> None:
    time = Time()
    clock = Clock(1, Count(0, 0, {PLACE: 1, ("gru", "other"): 5}), now=time)
    ask = play(study())[0][0]
    clock.take(Launched(ask))
    time.now = 3.0
    clock.take(Ended(ask, Finished("ok"), Count(1, 0, {PLACE: 0, ("gru", "other"): 5})))
    assert clock.left == 15.0


def test_places_and_outcomes_read_as_sentences() -> None:
    asks = {ask.phase: ask for ask in reversed(play(study())[0])}
    assert place(asks["search"]) == "lstm · adding_uniform(length=10) · trial 0"
    assert place(asks["confirm"]).endswith("again, seed 1")
    assert place(asks["evaluation"]).endswith("run, seed 0")
    ended = Ended(asks["search"], Finished("diverged", "at update 3"), count(1, 1))
    assert outcome(ended) == "diverged: at update 3"
    assert (span(85), span(None)) == ("0:01:25", "–")


def events() -> list[Launched | Ended]:
    first, second = play(study())[0][:2]
    return [
        Launched(first),
        Ended(first, Finished("ok"), count(1, 19)),
        Launched(second),
        Ended(second, Finished("error", "ValueError: no"), count(2, 18, failed=1)),
    ]


def test_without_a_terminal_there_is_a_line_an_end_and_no_control_code() -> None:
    text = io.StringIO()
    with Lines(Clock(1, count(0, 20)), Console(file=text, force_terminal=False)) as shown:
        for event in events():
            shown.show(event)
        shown.tick()
    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["start", "done", "FAIL", "end"]
    assert "ValueError: no" in lines[2]
    assert "\x1b" not in text.getvalue()


def test_on_a_terminal_studies_failures_and_the_time_left_are_shown() -> None:
    text = io.StringIO()
    one = study(trials=2)
    campaign = Campaign((one, study(architecture="both", skipped="causal")), {})
    out = Console(file=text, force_terminal=True, width=100, color_system=None)
    clock = Clock(1, campaign.count)
    with View(clock, out, campaign) as shown:
        first = next(campaign.missing())
        shown.show(Launched(first))
        failed = Finished("error", "ValueError: no")
        campaign.end(first.member.key, failed)
        shown.show(Ended(first, failed, campaign.count))
    seen = text.getvalue()
    assert "1/2 ✕1" in seen
    assert "✕ lstm · adding_uniform(length=10) · trial 0  error: ValueError: no" in seen
    assert "both" in seen
    assert "left" in seen


def test_a_pipe_is_no_terminal_even_if_colour_is_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = display(Clock(1, count(0, 1)), Campaign((replace(study()),), {}))
    assert isinstance(shown, Lines)
    with shown:
        pass
    assert "\x1b" not in capsys.readouterr().err
