"""What is wrong with an installed plugin, why, and what would mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo_core.errors import DuplicateNameError
from zoo_core.plugins.loading import ApiMismatch, PluginFailure


@dataclass(frozen=True)
class Problem:
    """Something that is broken: who has it, why, and what would mend it; one line each."""

    what: str
    cause: str
    remedy: str


def diagnose(failure: PluginFailure) -> Problem:
    """Says why a plugin does not work, and what its user can do."""
    what = f"{failure.what} {failure.name!r} ({failure.distribution} {failure.version})"
    return Problem(what, _one_line(failure.cause), _remedy(failure))


def requirements(distribution: str, *, extra: str = "") -> tuple[tuple[Requirement, str | None], ...]:
    """Returns what a distribution requires on this machine, each with the installed version or None.

    Args:
        distribution: its name.
        extra: whose requirements are among them; none without it.
    """
    declared = [Requirement(text) for text in requires(distribution) or ()]
    needed = [each for each in declared if each.marker is None or each.marker.evaluate({"extra": extra})]
    return tuple((each, installed_version(each.name)) for each in needed)


def conflicts(distribution: str) -> tuple[Problem, ...]:
    """Returns the requirements of an installed distribution that are not met."""
    what = f"{distribution} {version(distribution)}"
    try:
        needed = requirements(distribution)
        unmet = [
            (each, has) for each, has in needed if has is None or not each.specifier.contains(has, prereleases=True)
        ]
    except ValueError as error:  # packaging's, for a requirement or version that it cannot read
        return (Problem(what, f"its metadata cannot be read: {_one_line(str(error))}", "report it to its author"),)
    return tuple(
        Problem(what, f"requires {_plain(each)}, which is not installed", _install(_plain(each)))
        if installed is None
        else Problem(
            what,
            f"requires {_plain(each)}, installed is {each.name} {installed}",
            f"install a version of {each.name} that fits, or another version of {distribution}",
        )
        for each, installed in unmet
    )


def installed_version(distribution: str) -> str | None:
    """Returns the version of an installed distribution, None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _remedy(failure: PluginFailure) -> str:
    for error in _chain(failure.error):
        if isinstance(error, ApiMismatch):
            return f"upgrade {error.upgrade}"
        if isinstance(error, DuplicateNameError) and _names_another(error, failure):
            return f"uninstall one of the two, or leave this one out: ZOO_DISABLE_PLUGINS={failure.distribution}"
        if isinstance(error, ModuleNotFoundError) and error.name and find_spec(error.name.partition(".")[0]) is None:
            return _install(_distribution_with(error.name.partition(".")[0], failure.distribution))
    contact = _contact(failure.distribution)
    return (
        f"a bug of {failure.distribution}, or of a package that it uses: report it to its author{contact}; meanwhile "
        f"ZOO_DISABLE_PLUGINS={failure.distribution} leaves it out"
    )


def _names_another(error: DuplicateNameError, failure: PluginFailure) -> bool:
    """Says whether a name is taken by another plugin, rather than by this one itself or by zoo-core."""
    once = str(error).count(f"{failure.distribution} {failure.version}") == 1
    return once and "is already registered by" in str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _distribution_with(module: str, distribution: str) -> str:
    """Returns the requirement of `distribution` that is named as a module is, else the module's own name."""
    try:
        declared = [requirement for requirement, _ in requirements(distribution)]
    except PackageNotFoundError:
        declared = []
    named = (_plain(each) for each in declared if canonicalize_name(each.name) == canonicalize_name(module))
    return next(named, module.replace("_", "-"))


def _install(requirement: str) -> str:
    where = " (from its repository or a wheel, where no index has it)" if requirement.startswith("zoo-") else ""
    return f'install it in this environment: {sys.executable} -m pip install "{requirement}"{where}'


def _plain(requirement: Requirement) -> str:
    """Returns a requirement without the circumstances in which it holds."""
    return str(requirement).partition(";")[0].strip()


def _contact(distribution: str) -> str:
    try:
        facts = metadata(distribution)
    except PackageNotFoundError:
        return ""
    urls = [entry.rpartition(",")[2].strip() for entry in facts.get_all("Project-URL") or ()]
    where = next((entry for entry in (*urls, facts["Home-page"], facts["Author-email"]) if entry), None)
    return f" ({where})" if where else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
