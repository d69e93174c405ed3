"""Configs: what is accepted, what is refused and how, settings, presets, and files that run no code."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from zoo_core.config import (
    build_config,
    check_choice,
    check_range,
    config_from_json,
    config_to_json,
    merge_settings,
    parse_settings,
    preset_values,
    resolve_function,
)
from zoo_core.errors import ConfigError


@dataclass(frozen=True)
class SearchConfig:
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"horizon": 30, "model.hidden": 500}}

    horizon: int = 15
    rate: float = 1e-3
    verbose: bool = False
    mode: Literal["cem", "mppi"] = "cem"
    sizes: tuple[int, ...] = (64, 64)
    box: tuple[float, float] = (-1.0, 1.0)
    limit: int | None = None
    model: str = "ensemble"
    model_config: Mapping[str, Any] | None = None
    sac: Mapping[str, Any] = field(default_factory=lambda: {"gamma": 0.99})
    reward_fn: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        check_range("horizon", self.horizon, 1, 100)


@dataclass(frozen=True)
class NeedsNum:
    num: int


# -- building ----------------------------------------------------------------------------------------------


def test_none_builds_the_defaults():
    assert build_config(SearchConfig) == SearchConfig()


def test_a_complete_config_is_taken_as_it_is():
    config = SearchConfig(horizon=3)
    assert build_config(SearchConfig, config) is config


@pytest.mark.parametrize(
    ("key", "value", "built"),
    [
        ("rate", 1, 1.0),
        ("horizon", 20.0, 20),
        ("horizon", np.int64(7), 7),
        ("rate", np.float32(0.5), 0.5),
        ("verbose", np.True_, True),
        ("sizes", [8], (8,)),
        ("sizes", [], ()),
        ("box", [0, 1], (0.0, 1.0)),
        ("limit", None, None),
        ("limit", 5, 5),
        ("model_config", NeedsNum(4), {"num": 4}),
        ("reward_fn", "math:sqrt", math.sqrt),
        ("reward_fn", math.sqrt, math.sqrt),
    ],
)
def test_lossless_conversions_are_made(key, value, built):
    result = getattr(build_config(SearchConfig, {key: value}), key)
    assert result == built
    assert type(result) is type(built)


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("horizon", "3", "an integer"),
        ("horizon", 2.5, "an integer"),
        ("horizon", True, "an integer"),
        ("horizon", math.inf, "an integer"),
        ("rate", "3e-4", "a number"),
        ("rate", False, "a number"),
        ("verbose", 1, "true or false"),
        ("mode", "cme", "one of 'cem', 'mppi'"),
        ("sizes", 64, "a list, each entry an integer"),
        ("sizes", [1.5], "a list, each entry an integer"),
        ("sizes", "64", "a list, each entry an integer"),
        ("box", [1.0], "a list of a number, a number"),
        ("limit", "none", "an integer or none"),
        ("model", None, "a string"),
        ("sac", 3, "a mapping"),
        ("reward_fn", 3, "a function or 'module:function' or none"),
        ("reward_fn", "sqrt", "a function or 'module:function' or none"),
    ],
)
def test_a_wrong_type_names_field_value_and_what_is_accepted(key, value, accepted):
    with pytest.raises(ConfigError) as caught:
        build_config(SearchConfig, {key: value}, owner="agent 'pets'")
    assert str(caught.value) == f"agent 'pets': {key} must be {accepted}, got {value!r}"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("horizn", "SearchConfig: unknown setting 'horizn': did you mean 'horizon'?"),
        ("modle.hidden", "SearchConfig: unknown setting 'modle.hidden': did you mean 'mode"),
        ("sca.gamma", "SearchConfig: unknown setting 'sca.gamma': did you mean 'sac'?"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(key, message):
    with pytest.raises(ConfigError) as caught:
        build_config(SearchConfig, {key: 1})
    assert str(caught.value).startswith(message)


def test_a_value_that_the_class_rejects_is_reported_with_its_owner_and_cause():
    with pytest.raises(ConfigError, match=r"model 'm': horizon must be in \[1, 100\], got 0") as caught:
        build_config(SearchConfig, {"horizon": 0}, owner="model 'm'")
    assert type(caught.value.__cause__) is ValueError


def test_a_missing_field_is_named():
    with pytest.raises(ConfigError, match="NeedsNum: num is required; it takes an integer"):
        build_config(NeedsNum)


@pytest.mark.parametrize("value", [3, "horizon=3", NeedsNum(1)])
def test_what_is_neither_mapping_nor_config_is_refused(value):
    with pytest.raises(ConfigError, match="expected a mapping or a SearchConfig"):
        build_config(SearchConfig, value)


def test_a_function_that_does_not_exist_is_an_error():
    with pytest.raises(ConfigError, match="cannot find the function 'math:sqrrt'"):
        build_config(SearchConfig, {"reward_fn": "math:sqrrt"})


# -- ranges and choices ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "options", "good", "bad", "text"),
    [
        ((1, 10), {}, (1, 10), (0, 11, math.nan), "[1, 10]"),
        ((0, 1), {"low_open": True}, (0.5, 1), (0,), "(0, 1]"),
        ((0, 1), {"high_open": True}, (0, 0.5), (1,), "[0, 1)"),
        ((0,), {}, (0, math.inf), (-1, math.nan), "[0, inf)"),
        ((None, 5), {}, (-math.inf, 5), (6,), "(-inf, 5]"),
    ],
)
def test_a_range_is_checked_at_its_edges(limits, options, good, bad, text):
    for value in good:
        check_range("num", value, *limits, **options)
    for value in bad:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
            check_range("num", value, *limits, **options)
        assert str(caught.value) == f"num must be in {text}, got {value}"


def test_a_choice_is_checked():
    check_choice("kind", "gru", ("gru", "lstm"))
    with pytest.raises(ValueError, match=r"kind has no choice 'grru': did you mean 'gru'\?"):
        check_choice("kind", "grru", ("gru", "lstm"))


# -- settings and presets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("3e-4", 3e-4),
        ("true", True),
        ("False", False),
        ("none", None),
        ("null", None),
        ("-inf", -math.inf),
        ("[64, 64]", [64, 64]),
        ("[true, null]", [True, None]),
        ('{"a": 1}', {"a": 1}),
        ("ensemble", "ensemble"),
        ("'3'", "3"),
        ("a=b", "a=b"),
        ("torch.nn:ReLU", "torch.nn:ReLU"),
        ("", ""),
    ],
)
def test_a_setting_is_parsed_as_a_literal_or_else_a_string(text, value):
    parsed = parse_settings([f"a.b={text}"])
    assert parsed == {"a.b": value}
    assert type(parsed["a.b"]) is type(value)


@pytest.mark.parametrize("setting", ["horizon", "=3", "a..b=3", "--x=3", "a b=1", ""])
def test_a_setting_of_another_form_is_refused(setting):
    with pytest.raises(ConfigError, match="a setting is written key=value"):
        parse_settings([setting])


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused_cleanly(text):
    try:
        parse_settings([text])
    except ConfigError:
        return
    assert parse_settings([f"key={text}"])


def test_a_dotted_key_goes_into_the_component_or_into_the_mapping():
    settings = {"model": "mlp", "model.hidden": 200, "sac.learning_rate": 3e-4, "sac.policy.net.width": 8}
    config = build_config(SearchConfig, settings)
    assert config.model == "mlp"
    assert config.model_config == {"hidden": 200}
    assert config.sac == {"gamma": 0.99, "learning_rate": 3e-4, "policy": {"net": {"width": 8}}}


def test_inside_a_component_longer_keys_stay_dotted_for_the_component_to_place():
    assert build_config(SearchConfig, {"model.encoder.width": 3}).model_config == {"encoder.width": 3}


def test_a_whole_mapping_replaces_and_a_dotted_key_changes_a_part():
    assert build_config(SearchConfig, {"sac": {"tau": 1}}).sac == {"tau": 1}
    assert build_config(SearchConfig, {"sac": {"tau": 1}, "sac.tau": 2, "sac.n": 3}).sac == {"tau": 2, "n": 3}


def test_the_later_of_two_settings_counts():
    assert merge_settings({"sac.gamma": 1, "horizon": 2}, {"sac.gamma": 3}) == {"horizon": 2, "sac.gamma": 3}
    merged = merge_settings({"sac.gamma": 1}, {"sac": {"tau": 2}})
    assert build_config(SearchConfig, merged).sac == {"tau": 2}


def test_building_changes_no_argument():
    given_settings = {"sac": {"policy": {"width": 1}}, "sac.policy.width": 2}
    build_config(SearchConfig, given_settings)
    assert given_settings == {"sac": {"policy": {"width": 1}}, "sac.policy.width": 2}


def test_settings_win_over_the_preset_and_the_preset_over_the_defaults():
    config = build_config(SearchConfig, {"horizon": 7}, preset="paper")
    assert (config.horizon, config.model_config, config.rate) == (7, {"hidden": 500}, 1e-3)


@dataclass(frozen=True)
class TunedConfig(SearchConfig):
    model_config: Mapping[str, Any] | None = field(default_factory=lambda: {"members": 7})


def test_a_component_of_another_name_loses_the_config_of_the_one_before():
    assert build_config(SearchConfig, {"model": "mlp"}, preset="paper").model_config is None
    assert build_config(TunedConfig, {"model": "mlp"}).model_config is None
    assert build_config(TunedConfig, {"model.hidden": 3, "model": "mlp"}).model_config == {"hidden": 3}
    assert build_config(TunedConfig, {"model": "mlp", "model_config": {"a": 1}}).model_config == {"a": 1}
    assert build_config(SearchConfig, {"model": "mlp"}, preset="paper").horizon == 30


def test_a_component_of_the_same_name_keeps_it():
    assert build_config(SearchConfig, {"model": "ensemble"}, preset="paper").model_config == {"hidden": 500}
    assert build_config(TunedConfig, {"model": "ensemble", "model.hidden": 3}).model_config == {
        "members": 7,
        "hidden": 3,
    }


def test_an_override_of_a_file_replaces_a_component_with_its_config():
    data = {"model": "ensemble", "model_config": {"members": 7}, "horizon": 9}
    config = config_from_json(SearchConfig, data, overrides={"model": "mlp", "model.hidden": 3})
    assert (config.model, config.model_config, config.horizon) == ("mlp", {"hidden": 3}, 9)
    assert config_from_json(TunedConfig, {**data, "model": "mlp"}).model_config == {"members": 7}


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(ConfigError, match="unknown preset 'cpu'; choose one of 'paper'"):
        preset_values(SearchConfig, "cpu")
    with pytest.raises(ConfigError, match="NeedsNum: unknown preset 'cpu'; there are none"):
        build_config(NeedsNum, {"num": 1}, preset="cpu")


def test_a_preset_beside_a_complete_config_is_refused():
    with pytest.raises(ConfigError, match="a preset or a complete config, not both"):
        build_config(SearchConfig, SearchConfig(), preset="paper")


# -- files -------------------------------------------------------------------------------------------------


def test_a_config_survives_json():
    config = SearchConfig(
        sizes=(3, 4),
        rate=math.inf,
        model_config={"act": torch.nn.ReLU, "n": (1, 2)},
        sac={"x": np.float32(0.5)},
    )
    text = json.dumps(config_to_json(config), allow_nan=False)
    restored = config_from_json(SearchConfig, json.loads(text))
    assert restored.model_config == {"act": torch.nn.ReLU, "n": [1, 2]}
    assert (restored.sizes, restored.rate, restored.sac) == ((3, 4), math.inf, {"x": 0.5})


def test_a_function_of_the_zoo_is_found_again():
    data = config_to_json(SearchConfig(reward_fn=check_range))
    assert data["reward_fn"] == {"function": "zoo_core.config.build:check_range"}
    assert config_from_json(SearchConfig, data).reward_fn is check_range


@pytest.mark.parametrize("name", ["<lambda>", "local"])
def test_a_lambda_or_closure_is_written_without_a_name_and_must_be_passed_again(name):
    def local(state):
        return state

    function = local if name == "local" else lambda state: state
    data = json.loads(json.dumps(config_to_json(SearchConfig(reward_fn=function))))
    assert data["reward_fn"]["function"] is None
    with pytest.raises(ConfigError, match=rf"reward_fn is the function .*{name}'.* pass it as an override"):
        config_from_json(SearchConfig, data)
    assert config_from_json(SearchConfig, data, overrides={"reward_fn": function}).reward_fn is function


@pytest.mark.parametrize(
    "data",
    [
        {"reward_fn": {"function": "os:system"}},
        {"reward_fn": {"function": "os:system", "repr": "harmless"}},
        {"reward_fn": "os:system"},
        {"reward_fn": {"function": "zoo_core.config.functions:sys.exit"}},
        {"reward_fn": {"function": "zoo_core.config.functions:import_module"}},
        {"reward_fn": {"function": 3}},
        {"model_config": {"reward_fn": "os:system"}},
        {"model_config": {"list": [{"function": "os:system"}]}},
        {"sac": {"policy": {"optimizer": {"function": "torch.hub:load"}}}},
        {"sac": {"policy": {"optimizer": {"function": "torch.nn.modules.module:torch.hub.load"}}}},
        {"sac": {"policy": {"function": "os:system", "other": 1}}},
    ],
)
def test_a_file_brings_in_no_foreign_function(data):
    with pytest.raises(ConfigError, match="which a file may not bring in: pass it as an override"):
        config_from_json(SearchConfig, data)


def test_a_file_imports_no_module_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text("raise SystemExit('code of the file was run')")
    monkeypatch.syspath_prepend(tmp_path)
    for data in ({"reward_fn": {"function": "stranger:f"}}, {"model_config": {"f": "stranger:f"}}):
        with pytest.raises(ConfigError, match="'stranger:f'"):
            config_from_json(SearchConfig, data)
    assert "stranger" not in sys.modules


def test_an_override_reaches_into_a_component_of_a_file():
    data = {"model_config": {"reward_fn": {"function": None, "repr": "f"}, "hidden": 3}}
    config = config_from_json(SearchConfig, data, overrides={"model.reward_fn": abs})
    assert config.model_config == {"reward_fn": abs, "hidden": 3}


def test_what_json_has_no_place_for_is_named():
    with pytest.raises(ConfigError, match="sac cannot be written to a file: JSON has no set"):
        config_to_json(SearchConfig(sac={"x": 1}).sac | {"sac": {1}})


def test_a_user_may_name_any_function():
    assert resolve_function("os.path:join") is __import__("os").path.join
    assert resolve_function(None) is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("join", "a function is named as 'module:function'"),
        ("nowhere_at_all:f", "cannot find the function"),
        ("math:pi", "is not a function but float"),
    ],
)
def test_a_function_that_cannot_be_named_so_is_an_error(reference, message):
    with pytest.raises(ConfigError, match=message):
        resolve_function(reference)
