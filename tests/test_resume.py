"""Every registered agent goes on from a checkpoint as if it had never been stopped."""

import pytest

from zoo_core.plugins import load_object, specs
from zoo_core.testing import check_resume
from zoo_core.testing.cases import env_ids_for, register

AGENTS = [(spec, env_id) for spec in specs("agent") if spec.players == 1 for env_id in env_ids_for(spec)]


@pytest.mark.parametrize(("spec", "env_id"), AGENTS, ids=[f"{spec.id} {env_id}" for spec, env_id in AGENTS])
def test_a_stopped_run_goes_on_byte_for_byte(spec, env_id):
    check_resume(load_object(spec.entry_point), register(env_id), spec.check_config, steps=64)
