"""Installs each distribution alone, from its wheel, with no index, and tries it outside the checkout.

    make wheels && python -m tests.standalone [NAME ...]

A fresh virtual environment each: what a distribution uses and does not declare is not there. Wheels of other projects
are downloaded once into `wheels/`, at the versions of constraints.txt.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.standalone.artifacts import ROOT, Distribution, distributions, problems

DIST, WHEELHOUSE = ROOT / "dist", ROOT / "wheels"
CONSTRAINTS = ROOT / "constraints.txt"
TIMEOUT = 600  # seconds for one command


def main(names: list[str]) -> int:
    """Checks the named distributions, or all; returns the exit code."""
    known = {distribution.name: distribution for distribution in distributions()}
    if unknown := set(names) - known.keys():
        print(f"no distribution {', '.join(sorted(unknown))}: choose from {', '.join(known)}", file=sys.stderr)
        return 2
    begun, failed = time.perf_counter(), []
    fill_wheelhouse(list(known.values()))
    for name in names or known:
        started = time.perf_counter()
        print(f"{name}", flush=True)
        try:
            stand_alone(known[name])
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed.append(name)
            print(f"  FAILED: {error}", flush=True)
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)
    outcome = f"these do not stand alone: {', '.join(failed)}" if failed else "all stand alone"
    print(f"{outcome}, {time.perf_counter() - begun:.0f} s")
    return 1 if failed else 0


def fill_wheelhouse(known: list[Distribution]) -> None:
    """Downloads the wheels of all that the distributions declare and do not build themselves, unless they are there."""
    ours = {distribution.name for distribution in known}
    wanted = sorted({str(line) for each in known for line in each.requirements if line.name not in ours})
    constraints = CONSTRAINTS.read_text()
    torch = next(line for line in constraints.splitlines() if line.startswith("torch=="))
    state = hashlib.sha256("\n".join([sys.version, constraints, *wanted]).encode()).hexdigest()
    stamp = WHEELHOUSE / "complete"
    if stamp.is_file() and stamp.read_text() == state:
        return
    with timed(f"downloading {len(wanted)} packages and theirs into {WHEELHOUSE.name}/"):
        WHEELHOUSE.mkdir(exist_ok=True)
        how = ["--quiet", "--only-binary", ":all:", "--constraint", str(CONSTRAINTS), "--dest", str(WHEELHOUSE)]
        run([sys.executable, "-m", "pip", "download", *how, torch, *wanted])
        stamp.write_text(state)


def stand_alone(distribution: Distribution) -> None:
    """Checks the built files of a distribution, installs the wheel alone, and tries it.

    Raises:
        AssertionError: The files are not as they should be.
        subprocess.CalledProcessError: A command failed; its output has been printed.
    """
    found = problems(distribution, DIST)
    assert not found, "; ".join(found)
    bare = bare_environment()
    with tempfile.TemporaryDirectory(prefix="standalone-") as folder:
        place, scripts = Path(folder), Path(folder) / "venv" / "bin"
        python = str(scripts / "python")
        with timed("  installed"):
            run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")])
            how = ["--quiet", "--no-index", "--no-compile", "--find-links", str(DIST), "--find-links", str(WHEELHOUSE)]
            run([sys.executable, "-m", "pip", "--python", python, "install", *how, distribution.name], env=bare)
        for command in ("plugins", "list", "doctor") if (scripts / "zoo").exists() else ():
            with timed(f"  zoo {command}"):
                run([str(scripts / "zoo"), command], cwd=place, env=bare)
        with timed("  tried"):
            probe = [python, "-I", "-W", "ignore", str(Path(__file__).with_name("probe.py"))]
            run([*probe, distribution.name], cwd=place, env=bare, show=True)


def run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None, show: bool = False) -> None:
    """Runs a command; prints its output as it comes, or else if it fails.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    output = None if show else subprocess.PIPE
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False
    )
    if done.returncode != 0:
        print(done.stdout or "", end="")
        raise subprocess.CalledProcessError(done.returncode, command)


def bare_environment() -> dict[str, str]:
    """Returns the environment variables without what they say about Python, pip, and the zoo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "ZOO_"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PYTHONNOUSERSITE": "1"}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints what was done, and how long it took."""
    begun = time.perf_counter()
    yield
    print(f"{what}, {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
