"""Settings refuse what cannot work and say what would."""

import dataclasses

import pytest

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.settings import RESOLUTIONS, TEXTURE_SIZES, Settings


def test_the_defaults_are_valid_and_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().resolution = 7


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("size", TEXTURE_SIZES)
def test_every_offered_size_is_accepted(resolution, size):
    assert Settings(resolution=resolution, texture_size=size).texture_size == size


@pytest.mark.parametrize(
    ("choice", "found", "advice"),
    [
        ({"resolution": 63}, "63", "64 to 384"),
        ({"resolution": 385}, "385", "192"),
        ({"texture_size": 500}, "500", "512"),
        ({"alignment": "none"}, "none", "landmarks"),
        ({"topology": "triangles"}, "triangles", "quads, dense"),
        ({"density": "12000"}, "12000", "low, medium, high"),
        ({"steps": 0}, "0", "12"),
        ({"steps": 101}, "101", "1 to 100"),
    ],
)
def test_an_impossible_choice_is_refused_with_what_was_found_and_what_to_do(choice, found, advice):
    with pytest.raises(ClipHeadError) as error:
        Settings(**choice)
    assert found in str(error.value) and advice in str(error.value)
    assert error.value.code == "BAD_SETTING"
