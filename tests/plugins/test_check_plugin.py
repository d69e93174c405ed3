"""`check_plugin`: accepts what `zoo new` writes, and names the rule that a faulty plugin breaks."""

from __future__ import annotations

import re

import pytest

from zoo_core.errors import UnknownNameError
from zoo_core.plugins import AgentSpec, PlannerSpec, WorldModelSpec
from zoo_core.testing import cases, check_plugin
from zoo_core.testing.checks import plugin_checks

HEAVY_IMPORT = "import matplotlib\nZOO_API = 1"


@pytest.mark.parametrize("kind", ["agent", "model", "planner", "env"])
def test_what_zoo_new_writes_is_accepted(site, kind):
    site.install("probe", kind)
    check_plugin("zoo_probe" if kind == "env" else "probe")


def test_a_plugin_is_checked_by_the_name_of_its_distribution_too(site):
    site.install("probe")
    assert [check.name for check in plugin_checks("zoo-probe")] == [check.name for check in plugin_checks("probe")]


def test_all_that_a_plugin_brings_is_checked_where_its_spaces_are():
    assert [check.name for check in plugin_checks("random")] == [
        "loads",
        "metadata",
        "imports nothing heavy",
        "references",
        "config of agent random",
        "agent random in CartPole-v1",
        "agent random in Pendulum-v1",
    ]
    assert "dreams in model ensemble-Pendulum-v1" in [check.name for check in plugin_checks("ensemble")]
    assert "env zoo_envs/CartPoleSwingUp-v0" in [check.name for check in plugin_checks("zoo-envs")]


PLUGIN, CONFIG, AGENT, METADATA = "plugin.py", "config.py", "agent.py", "METADATA"
FAULTS = {
    "newer API": ({PLUGIN: {"ZOO_API = 1": "ZOO_API = 2"}}, "loads", "upgrade zoo-core"),
    "missing module": ({PLUGIN: {"ZOO_API": "import zoo_nowhere\n\nZOO_API"}}, "loads", 'pip install "zoo-nowhere"'),
    "no README": ({METADATA: {"A README.": ""}}, "metadata", "a distribution has a README"),
    "no licence": ({METADATA: {"License-Expression: MIT\n": ""}}, "metadata", "a distribution has a licence"),
    "no Python": ({METADATA: {"Requires-Python: >=3.11\n": ""}}, "metadata", "for which Python it is"),
    "no summary": ({METADATA: {"Summary: A plugin of these tests\n": ""}}, "metadata", "says what it is"),
    "any zoo-core": ({METADATA: {">=0.1,<0.2": ">=0.1"}}, "metadata", "requires zoo-core, from a version on and below"),
    "no zoo-core": ({METADATA: {"zoo-core>=0.1,<0.2": "numpy"}}, "metadata", "no requirement of zoo-core"),
    "unmet": ({METADATA: {"<0.2": "<0.2\nRequires-Dist: numpy<1"}}, "metadata", "requires numpy<1, installed is numpy"),
    "heavy": ({PLUGIN: {"ZOO_API = 1": HEAVY_IMPORT}}, "imports nothing heavy", "seen: matplotlib"),
    "nowhere": ({PLUGIN: {"agent:ProbeAgent": "agent:Missing"}}, "references", "has no attribute 'Missing'"),
    "no agent": ({PLUGIN: {"agent:ProbeAgent": "agent:Tensor"}}, "references", "derives from zoo_core.Agent"),
    "abstract": ({AGENT: {"def predict": "def act"}}, "references", "seen: no predict"),
    "long summary": ({PLUGIN: {'summary="': f'summary="{"very " * 30}'}}, "loads", "at most 120 characters"),
    "two configs": ({AGENT: {"config_class = ProbeConfig": ""}}, "config of agent probe", "config_class is None"),
    "mutable": ({CONFIG: {"(frozen=True)": ""}}, "config of agent probe", "a config is a frozen dataclass"),
    "no default": ({CONFIG: {"population: int = 20": "population: int"}}, "config of agent probe", "of the defaults"),
    "no JSON": (
        {CONFIG: {"    population": '    what: object = frozenset({"x"})\n    population'}},
        "config of agent probe",
        "JSON has no frozenset",
    ),
    "bad preset": (
        {CONFIG: {"    population": '    presets = {"big": {"populaton": 9}}\n    population'}},
        "config of agent probe",
        "of preset 'big', .* unknown setting 'populaton'",
    ),
    "bad check_config": (
        {PLUGIN: {'"num_elites": 2': '"elites": 2'}},
        "config of agent probe",
        "unknown setting 'elites'",
    ),
    "unseeded": (
        {AGENT: {"seeding.rng(self.seed": "seeding.rng(seeding.fresh_seed()"}},
        "agent probe in CartPole-v1",
        "same seed gives the same agent|changes nothing in what is learned",
    ),
    "no stream in checkpoints": (
        {AGENT: {'self._rng.set_state(state["rng"])': "pass"}},
        "agent probe in CartPole-v1",
        "resumed",
    ),
    "loads nothing": (
        {
            AGENT: {
                'self.mean, self.std = tensors["mean"], tensors["std"]': "pass",
                'self.tried, self.returns = tensors["tried"], tensors["returns"]': "pass",
            }
        },
        "agent probe in Pendulum-v1",
        "a loaded agent is the saved one, byte for byte; seen: to_file/mean",
    ),
    "big check_config": (
        {AGENT: {"self._finish(int(row))": "pass"}},
        "agent probe in Pendulum-v1",
        "nothing was learned in 64 steps",
    ),
    "no spaces": (
        {PLUGIN: {'("Box", "Discrete")': '("Graph",)'}},
        "agent probe",
        "no small environment has the spaces",
    ),
}


@pytest.mark.filterwarnings("ignore:Dataclass field:UserWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_rule_is_named_with_what_was_seen(site, fault):
    faults, check_name, message = FAULTS[fault]
    site.install("probe", "agent", faults)
    (check,) = [check for check in plugin_checks("probe") if check.name == check_name]
    with pytest.raises(AssertionError, match=message):
        check.run()


def test_a_check_of_a_plugin_lists_all_that_failed(site):
    site.install("probe", "env", {METADATA: {"A README.": ""}, "env.py": {"np.array(state, np.float64)": "None"}})
    with pytest.raises(AssertionError) as caught:
        check_plugin("zoo_probe")
    assert re.fullmatch(
        "2 of 4 checks of plugin 'zoo_probe' failed:\n"
        "- metadata: a distribution has a README; seen: .*; to mend it: readme = .*\n"
        "- env zoo_probe/Probe-v0: TypeError: .*",
        str(caught.value),
    )


MOVE = "np.clip(self._position + move, -1.0, 1.0"
IN_PLACE = {f"self._position = {MOVE})": f"{MOVE}, out=self._position)"}
ENV_FAULTS = {
    "no namespace": ({"__init__.py": {"zoo_probe/": "probe/"}}, "registers environments", "of the namespace zoo_probe"),
    "outside": (
        {"env.py": {".astype(np.float32)": ".astype(np.float64)"}},
        "env zoo_probe/Probe-v0",
        "not within the observation space",
    ),
    "lost state": (
        {"env.py": {"self._position = np.array(state, np.float64)": "pass"}},
        "env zoo_probe/Probe-v0",
        "goes on from a state that is set",
    ),
    "state handed out": (
        {"env.py": {"self._position.copy()": "self._position", **IN_PLACE}},
        "env zoo_probe/Probe-v0",
        "when it was set once; to mend it: let get_state return a copy",
    ),
    "state taken": (
        {"env.py": {"np.array(state, np.float64)": "state", **IN_PLACE}},
        "env zoo_probe/Probe-v0",
        "when it was set again; to mend it: let set_state copy",
    ),
    "another state": (
        {"env.py": {"np.asarray(obs, np.float64)": "-np.asarray(obs, np.float64)"}},
        "env zoo_probe/Probe-v0",
        "an observation shows the state",
    ),
}


MODEL, PLANNER = "world_model.py", "planner.py"
SUMMARY = 'action_spaces=("Box", "Discrete"),'
MODEL_FAULTS = {
    "claims chance": ({PLUGIN: {SUMMARY: f"{SUMMARY} stochastic=True,"}}, "the model itself has stochastic=False"),
    "claims to know its limits": ({PLUGIN: {SUMMARY: f"{SUMMARY} epistemic=True,"}}, "itself has epistemic=False"),
    "claims not to decode": ({PLUGIN: {SUMMARY: f"{SUMMARY} decodes=False,"}}, "itself has decodes=True"),
    "hides chance": (
        {MODEL: {"continues=1.0 - end": "continues=1.0 - temperature * torch.rand(1, generator=rng) / 9 - 0.5 * end"}},
        "stochastic=False in the spec of model 'probe', and the model itself has stochastic=True",
    ),
    "global stream": (
        {MODEL: {"torch.zeros(num_inputs, num_obs + 2)": "torch.randn(num_inputs, num_obs + 2)"}},
        "construction draws from the generators it is given",
    ),
    "unseeded": (
        {MODEL: {"torch.zeros(num_inputs, num_obs + 2)": "torch.ones(num_inputs, num_obs + 2) * (id(self) % 999_983)"}},
        "the same seed gives the same initial weights",
    ),
    "mixed rows": (
        {MODEL: {"return Belief(obs)": "return Belief(obs if state is None else obs + 0.01 * obs.mean(0))"}},
        "what another row sees does not move this row",
    ),
}


@pytest.mark.parametrize("fault", MODEL_FAULTS)
def test_a_broken_rule_of_models_is_named(site, fault):
    faults, message = MODEL_FAULTS[fault]
    site.install("probe", "model", faults)
    (check,) = [check for check in plugin_checks("probe") if check.name == "model probe-CartPole-v1"]
    with pytest.raises(AssertionError, match=message):
        check.run()


PLANNER_FAULTS = {
    "root 0 for all": (
        {"state = repeat(state, tried)": "state = repeat(type(state)(*(leaf[[0] * num] for leaf in state)), tried)"},
        "each root has a value and a plan of its own",
    ),
    "another root's action": (
        {"torch.arange(num, device=rng.device) *": "torch.arange(num, device=rng.device).flip(0) *"},
        "the action is that of its own root",
    ),
    "the worst": (
        {"nan_to_num(nan=-torch.inf).max(1)": "nan_to_num(nan=torch.inf).min(1)"},
        "the action is that of its own root",
    ),
    "one seed": (
        {"with torch.no_grad():": "rng = torch.Generator().manual_seed(0)\n        with torch.no_grad():"},
        "two seeds give two plans",
    ),
    "NaN first": ({"nan=-torch.inf": "nan=torch.inf"}, "a candidate whose return is NaN ranks last; seen: values .inf"),
    "NaN raises": ({".isnan().all(1)": ".isnan()"}, "a candidate whose return is NaN ranks last; seen: NonFiniteError"),
    "no end": ({"weight * step.continues": "weight"}, "counts by the probability that the episode goes on"),
    "no evaluate": ({"if self.evaluate is not None": "if False"}, "`evaluate` counts"),
}


@pytest.mark.parametrize("fault", PLANNER_FAULTS)
def test_a_broken_rule_of_planners_is_named(site, fault):
    faults, message = PLANNER_FAULTS[fault]
    site.install("probe", "planner", {PLANNER: faults})
    checks = [check for check in plugin_checks("probe") if check.name.startswith("planner probe in model")]
    assert len(checks) == 2
    for check in checks:
        with pytest.raises(AssertionError, match=message):
            check.run()


@pytest.mark.parametrize("fault", ENV_FAULTS)
def test_a_broken_rule_of_environments_is_named(site, fault):
    faults, check_name, message = ENV_FAULTS[fault]
    site.install("probe", "env", faults)
    (check,) = [check for check in plugin_checks("zoo_probe") if check.name == check_name]
    with pytest.raises(AssertionError, match=message):
        check.run()


def test_an_unknown_plugin_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no plugin 'ensembel' is installed: did you mean 'ensemble'\?"):
        check_plugin("ensembel")


# -- where it is tried -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observations", "actions", "env_ids"),
    [
        ((), (), ("CartPole-v1", "Pendulum-v1")),
        (("Box",), ("Box",), ("Pendulum-v1",)),
        (("Discrete",), ("Discrete",), ("Corridor-discrete",)),
        (("Dict",), (), ("Corridor-dict",)),
    ],
)
def test_an_agent_is_tried_where_its_spaces_are(observations, actions, env_ids):
    spec = AgentSpec("x", "m:X", summary="s", observation_spaces=observations, action_spaces=actions)
    assert cases.env_ids_for(spec) == env_ids


def test_the_random_agent_keeps_the_contract_in_a_corridor_of_dicts():
    from zoo_core.testing import check_agent
    from zoo_random.agent import RandomAgent

    check_agent(RandomAgent, cases.register("Corridor-dict"))


def test_a_model_is_tried_with_its_check_config(site):
    site.install("probe", "model", {PLUGIN: {'action_spaces=("Box", "Discrete")': 'check_config={"ridge": 0.5}'}})
    from zoo_core.plugins import model_spec

    assert [case.new().config.ridge for case in cases.cases_of(model_spec("probe"))] == [0.5, 0.5]


def test_a_planner_is_tried_on_both_kinds_of_action():
    assert [case.name for case in cases.models_for(PlannerSpec("p", "m:P", summary="s"))] == ["lookup-table", "rssm"]


def test_what_takes_no_small_environment_is_told_where_to_look():
    spec = WorldModelSpec("g", "m:G", summary="s", observation_spaces=("Graph",))
    with pytest.raises(AssertionError, match="no small environment has the spaces that model 'g' takes"):
        cases.cases_of(spec)
