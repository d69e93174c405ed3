"""Every kind of world model, fitted once for all tests of dreams."""

import pytest

from zoo_core.testing.cases import ModelCase, model_cases


@pytest.fixture(params=model_cases(), ids=str)
def case(request: pytest.FixtureRequest) -> ModelCase:
    """A model under test: each fake, the simulator, each registered model."""
    return request.param


@pytest.fixture(scope="session")
def case_named():
    """Returns a case by name."""
    return {case.name: case for case in model_cases()}.__getitem__
