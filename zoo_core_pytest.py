"""The pytest option `--zoo NAME`: the checks of `zoo_core.testing.check_plugin`, each a test of its own.

pytest imports this module whenever it starts, also for those who use zoo-core for something else, so it stands outside
the package `zoo_core` and imports nothing of it before the option is given.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("zoo").addoption(
        "--zoo",
        action="append",
        default=[],
        metavar="NAME",
        help="check the installed plugin NAME of the Agent Zoo (may be repeated); without paths, nothing else is run",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Leaves out the tests of the current directory, which nobody asked for."""
    if config.getoption("zoo") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among the tests
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds the checks.

    Raises:
        pytest.UsageError: No such plugin is installed.
    """
    for name in config.getoption("zoo"):
        from zoo_core.errors import ZooError
        from zoo_core.testing.checks import plugin_checks

        try:
            checks = plugin_checks(name)
        except ZooError as error:
            raise pytest.UsageError(str(error)) from error
        items += [
            ZooCheck.from_parent(session, name=check.name, nodeid=f"zoo::{name}::{check.name}", check=check)
            for check in checks
        ]


class ZooCheck(pytest.Item):
    """One check of a plugin."""

    def __init__(self, *, check: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check

    def runtest(self) -> None:
        """Runs the check."""
        self.check.run()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Returns the rule, what was seen and how to mend it; the traceback of anything else."""
        from zoo_core.testing.checks.expect import BrokenRule

        error = excinfo.value
        if not isinstance(error, BrokenRule):
            return super().repr_failure(excinfo)
        return f"rule:       {error.rule}\nseen:       {error.seen}\nto mend it: {error.mend}"

    def reportinfo(self) -> tuple[str, None, str]:
        """Returns what is printed above a failure."""
        return "zoo", None, self.nodeid
