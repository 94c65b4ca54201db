"""What tests of the whole engine share."""

import pytest


@pytest.fixture(scope="session")
def models():
    """The starter pack's models on the processor; no test changes them."""
    from cliphead_addon.engine.models import load_models  # the tests of single files need no torch

    return load_models("starter", "cpu")
