from dataclasses import replace

import pytest
from studies import play, study

from rnnbench.campaign import Campaign
from rnnbench.devices import hardware_of
from rnnbench.estimate import known
from rnnbench.store import Stored


@pytest.mark.parametrize(
    ("hardware", "expected"), [("another machine", None), (hardware_of("cpu"), 21.0), ("", 21.0)]
)
def test_what_a_member_takes_is_known_only_from_rows_of_this_hardware(hardware, expected):
    one = study(trials=2, confirm=0, seeds=1)
    asks, finished = play(one)
    took = {"update": 2.0, "evaluate": 1.0, "train": 20.0}
    stored = {
        ask.member.key: Stored(
            replace(finished[ask.member.key], seconds=took, hardware_host=hardware), {}
        )
        for ask in asks
    }
    assert known(one, Campaign((one,), stored)) == expected
