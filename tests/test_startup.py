"""What `import zoo_core` costs and does."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import zoo_core

HEAVY = ("torch", "stable_baselines3", "matplotlib", "pandas", "tensorboard", "pygame")


def heavy_modules_after(code: str) -> str:
    script = f"import sys\n{code}\nprint([name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import zoo_core",
        "import zoo_core; dir(zoo_core); zoo_core.hookimpl; zoo_core.ConfigError",
        "from zoo_core.plugins import load_plugins; assert load_plugins().plugins",
        "import zoo_core.config, zoo_core.errors",
        "import gymnasium; gymnasium.spec('CartPole-v1'); import zoo_core; gymnasium.spec('Dream-v0')",
    ],
)
def test_neither_torch_nor_sb3_is_imported_by(code):
    assert heavy_modules_after(code) == "[]"


def test_the_check_above_sees_torch():
    assert "torch" in heavy_modules_after("import zoo_core; zoo_core.WorldModel")


def test_every_public_name_is_found_where_it_lives():
    for name in zoo_core.__all__:
        assert getattr(zoo_core, name) is not None
    assert zoo_core.make_agent is importlib.import_module("zoo_core.plugins").make_agent


def test_dir_lists_every_public_name():
    assert set(zoo_core.__all__) <= set(dir(zoo_core))


def test_type_checkers_see_the_names_that_exist_at_run_time():
    tree = ast.parse(Path(zoo_core.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {(node.module, alias.name) for node in block.body for alias in node.names}
    assert seen == {(f"zoo_core.{module}", name) for name, module in zoo_core._HOME_OF.items()}


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'zoo_core' has no attribute 'Wrold'"):
        zoo_core.Wrold  # noqa: B018


def test_importing_again_does_not_register_the_dream_again():
    spec = gymnasium.spec("Dream-v0")
    importlib.reload(zoo_core)
    assert gymnasium.spec("Dream-v0") is spec


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert zoo_core.__version__ == version("zoo-core")
