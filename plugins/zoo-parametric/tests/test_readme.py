"""What the README shows, runs: its Python in one session."""

import re
from pathlib import Path

import pytest

from zoo_core.testing.readme import Readme
from zoo_parametric.systems import SYSTEMS

README = Readme(Path(__file__).parents[1] / "README.md")


def test_the_examples_find_what_they_look_for(tmp_path):
    pendulum, car = README.run_python(tmp_path)
    assert pendulum["model"].constants == pytest.approx({"mass": 0.7, "length": 1.3}, rel=1e-4)
    assert car["model"].constants == pytest.approx({"power": 0.0015, "gravity": 0.0025}, rel=1e-3)


def test_the_table_of_systems_is_right():
    rows = dict(re.findall(r"^\| `([\w-]+)` \| \S+-v\d \| (.*) \|$", README.text, re.MULTILINE))
    assert rows == {name: ", ".join(each.name for each in system.unknowns) for name, system in SYSTEMS.items()}
