"""The rules of a plugin's package: what its metadata says, and what listing it imports."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from packaging.utils import canonicalize_name

from zoo_core.plugins.diagnosis import conflicts, requirements
from zoo_core.testing.checks.expect import BrokenRule, expect

HEAVY = ("torch", "stable_baselines3", "jax", "tensorflow", "matplotlib", "pandas", "pygame")


def check_metadata(distribution: str, module: str, *, needs_core: bool) -> None:
    """Checks what a distribution says of itself, and that what it requires is installed.

    Args:
        distribution: its name.
        module: of its entry point.
        needs_core: whether it must require zoo-core; packages of environments need not.
    """
    try:
        facts: Any = metadata(distribution)
    except PackageNotFoundError:
        raise BrokenRule("a plugin is an installed distribution", distribution, "install it with pip") from None
    classifiers = facts.get_all("Classifier") or ()
    licensed = facts["License-Expression"] or facts["License"] or any(c.startswith("License ::") for c in classifiers)
    for holds, rule, mend in (
        (facts["Summary"], "a distribution says what it is", 'description = "..." in pyproject.toml'),
        (facts.json.get("description", "").strip(), "a distribution has a README", 'readme = "README.md"'),
        (licensed, "a distribution has a licence", 'license = "MIT"'),
        (facts["Requires-Python"], "a distribution says for which Python it is", 'requires-python = ">=3.11"'),
    ):
        expect(holds, rule, f"no such entry in the metadata of {distribution}", mend)
    expect(
        module.partition(".")[0] != "zoo",
        "no import package is called zoo: another distribution of the field owns it",
        module,
        "call it zoo_<name>",
    )
    unmet = [problem.cause for problem in conflicts(distribution)]
    expect(not unmet, "what a distribution requires is installed", "; ".join(unmet), "correct dependencies")
    if needs_core:
        found = [
            str(need.specifier) for need, _ in requirements(distribution) if canonicalize_name(need.name) == "zoo-core"
        ]
        bounded = found and all(any(sign in found[0] for sign in signs) for signs in ((">", "=="), ("<", "==", "~=")))
        expect(
            bounded,
            "a plugin requires zoo-core, from a version on and below another",
            found[0] if found else "no requirement of zoo-core",
            'dependencies = ["zoo-core>=0.1,<0.2"]: before 1.0 a minor version may change interfaces',
        )


def check_light(module: str) -> None:
    """Checks in a fresh process that importing a module imports nothing heavy."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import {module}; "
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    rule = f"{module} imports nothing heavy, so that listing plugins stays fast"
    mend = "name classes as 'module:Class', import what is heavy in their modules; keep __init__.py empty"
    seen = done.stdout.strip() or done.stderr.strip()[-200:]
    expect(done.returncode == 0 and not done.stdout.strip(), rule, seen, mend)
