"""How far a head is: checked against computers whose speed is known."""

import pytest

from cliphead_addon.engine.estimate import SECONDS, Estimate
from cliphead_addon.engine.settings import Settings


def run(estimate, speed, stages=SECONDS):
    """Follow a head on a computer that is `speed` times slower than the table says -> (seconds, fraction, left), the end."""
    seconds, told = 0.0, []
    for stage in stages:
        for step in range(10):
            told.append((seconds, *estimate.update(stage, step / 10, seconds)))
            seconds += estimate.expected.get(stage, 0.0) * speed / 10
    told.append((seconds, *estimate.update(stage, 1.0, seconds)))
    return told, seconds


@pytest.mark.parametrize("speed", [0.3, 1.0, 5.0])
def test_the_time_left_is_right_after_a_third_whatever_the_computer(speed):
    told, end = run(Estimate(Settings()), speed)
    for seconds, _, left in told:
        if seconds > end / 3:
            assert left == pytest.approx(end - seconds, rel=0.5, abs=0.35 * speed)
    assert told[-1][1] == pytest.approx(1.0) and told[-1][2] == pytest.approx(0.0)


def test_the_fraction_never_falls():
    fractions = [fraction for _, fraction, _ in run(Estimate(Settings()), 4.0)[0]]
    assert fractions == sorted(fractions) and 0 <= fractions[0] < 0.01


def test_a_computer_that_is_known_is_judged_right_from_the_start():
    first = Estimate(Settings())
    run(first, 5.0)
    told, end = run(Estimate(Settings(), pace=first.pace), 5.0)
    assert all(left == pytest.approx(end - seconds, rel=0.25, abs=1.0) for seconds, _, left in told)


def test_larger_heads_take_longer_and_warm_ones_less():
    usual = Estimate(Settings()).total
    assert Estimate(Settings(resolution=384)).total > usual < Estimate(Settings(texture_size=2048)).total
    assert Estimate(Settings(), stages=[name for name in SECONDS if name != "Starting the engine"]).total < usual


def test_a_stage_that_is_not_known_changes_nothing():
    estimate = Estimate(Settings())
    before = estimate.update("Unwrapping", 0.5, 10.0)
    assert estimate.update("Counting sheep", 0.9, 10.0) == before
