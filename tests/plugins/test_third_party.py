"""A third party: CONTRIBUTING's tutorial, followed to the letter in an environment of its own."""

from __future__ import annotations

import os
import re
import site
import subprocess
import venv
from pathlib import Path

import pytest

TUTORIAL = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
BLOCK = re.compile(r'^```(bash|python)(?: (title|append)="([^"]+)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
SCRIPT = "import sys\nfrom {module} import main\nsys.exit(main())\n"


def steps() -> list[str]:
    """Returns the tutorial's blocks in order, each as the shell script of somebody who follows it."""
    text = TUTORIAL[TUTORIAL.index("## A plugin, step by step") : TUTORIAL.index("### An agent")]
    scripts = []
    for language, what, path, body in BLOCK.findall(text):
        if what == "title":
            scripts.append(f"cat > {path} <<'END'\n{body}END\n")
        elif what == "append":
            gap = "" if body.startswith(" ") else "\n\n"  # before what stands at the left margin
            scripts.append(f"cat >> {path} <<'END'\n{gap}{body}END\n")
        else:
            scripts.append(f"python - <<'END'\n{body}END\n" if language == "python" else body)
    return scripts


@pytest.fixture
def shell(tmp_path):
    """Runs a script in a directory outside the repository, in a fresh environment that has the packages of this one."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "these.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
    )
    for command, module in (("zoo", "zoo_core.cli"), ("pytest", "pytest"), ("pip", "pip._internal.cli.main")):
        script = home / "bin" / command
        script.write_text(f"#!{home / 'bin' / 'python'}\n{SCRIPT.format(module=module)}")
        script.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PIP_NO_INDEX": "1",  # offline: setuptools is here already
        "PIP_NO_BUILD_ISOLATION": "0",  # which says no to isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    environment.pop("PYTHONPATH", None)
    (tmp_path / "work").mkdir()

    def run(script: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def rows(listed: str) -> dict[str, list[str]]:
    """Returns the lines of `zoo plugins` by the name of the plugin."""
    table = listed[listed.index("PLUGIN ") :].splitlines()[1:]
    return {line.split()[0]: line.split() for line in table}


def test_the_tutorial_shows_how_to_write_test_pack_use_and_remove_a_plugin(shell, tmp_path):
    outputs = {}
    for script in steps():
        outputs[script] = shell(script)
        if "pip install dist/" in script:  # what is used from here on is the wheel
            assert shell("python -c 'import zoo_climber; print(zoo_climber.__file__)'").startswith(
                str(tmp_path / "venv")
            )
    (begun,) = [output for script, output in outputs.items() if script.startswith("zoo new")]
    (tested,) = [output for script, output in outputs.items() if script.startswith("pytest")]
    (trained,) = [output for script, output in outputs.items() if script.startswith("zoo train")]
    (used,) = [output for script, output in outputs.items() if script.startswith("python")]
    removed = list(outputs.values())[-1]
    assert rows(begun)["climber"] == ["climber", "zoo-climber", "0.1.0", "agent", "climber"]
    assert "3 passed" in tested
    assert "noisy-climber on CartPole-v1, seed 0: 2,000 steps" in trained
    assert used.startswith("3000 steps, (")
    assert "random" in rows(removed)
    assert "climber" not in rows(removed)
    assert shell("python -c 'import zoo_climber' 2>&1 || true").endswith("No module named 'zoo_climber'\n")
