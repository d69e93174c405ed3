"""The planner keeps the contract, by every tree and in models of several kinds."""

import pytest

from zoo_core.plugins import specs
from zoo_core.testing import cases, check_planner, check_plugin
from zoo_mcts.planner import UCT

SPEC = next(spec for spec in specs("planner") if spec.id == "mcts-uct")


def test_the_plugin_keeps_the_rules():
    check_plugin("mcts")


@pytest.mark.parametrize("name", ["lookup-table", "tic-tac-toe", "value-equivalent"])
def test_the_planner_keeps_the_contract(tree, name):
    case = next(case for case in cases.model_cases() if case.name == name)
    check_planner(UCT({**SPEC.check_config, "tree": tree}), case.model)
