"""`pytest --zoo NAME`: every check a test of its own, and nothing imported for those who do not ask."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

import zoo_core_pytest


@pytest.fixture
def run(site, tmp_path):
    """Runs pytest in a directory with a test of its own, with what is installed in `site`."""
    (tmp_path / "test_of_the_directory.py").write_text("def test_own():\n    pass\n")

    def run(*arguments: str, code: str = "import pytest, sys; sys.exit(pytest.main())"):
        command = [sys.executable, "-c", code, "-p", "no:cacheprovider", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(site.path), "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)

    return run


def test_every_check_is_a_test_and_a_failure_says_how_to_mend_it(site, run):
    site.install("probe", "env", {"env.py": {"self._position = np.array(state, np.float64)": "pass"}})
    done = run("-v", "--zoo", "random", "--zoo", "zoo_probe")
    assert done.returncode == 1, done.stderr
    assert "zoo::random::agent random in CartPole-v1 PASSED" in done.stdout
    assert "zoo::zoo_probe::env zoo_probe/Probe-v0 FAILED" in done.stdout
    assert "rule:       an environment goes on from a state that is set as it did from that state before" in done.stdout
    assert "\nseen:       values up to " in done.stdout
    assert "\nto mend it: let get_state return a copy of all that decides the next step" in done.stdout
    assert "1 failed, 10 passed" in done.stdout
    assert "test_own" not in done.stdout


def test_checks_are_chosen_by_their_names_and_run_beside_tests_that_are_named(run):
    done = run("-v", "--zoo", "random", "-k", "metadata or own", ".")
    assert done.returncode == 0, done.stdout
    assert "2 passed, 6 deselected" in done.stdout


def test_an_unknown_plugin_is_a_usage_error():
    asked = SimpleNamespace(getoption=lambda _: ["randm"])
    with pytest.raises(pytest.UsageError, match=r"no plugin 'randm' is installed: did you mean 'random'\?"):
        zoo_core_pytest.pytest_collection_modifyitems(session=None, config=asked, items=[])


def test_without_the_option_nothing_of_the_zoo_is_imported(run):
    modules = ("zoo_core", "torch", "stable_baselines3", "gymnasium")
    done = run(code=f"import pytest, sys; pytest.main(); print([name for name in {modules} if name in sys.modules])")
    assert done.stdout.splitlines()[-1] == "[]"
    assert "1 passed" in done.stdout
