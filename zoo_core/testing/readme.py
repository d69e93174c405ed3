"""READMEs as tests: their Python and their commands are run, with small sizes in place of large ones."""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo_core.cli import main


@dataclass(frozen=True)
class Readme:
    """A README whose examples run in a test:

    ```python
    README = Readme(Path(__file__).parents[1] / "README.md", smaller={"learn(100_000)": "learn(512)"})


    def test_the_examples_run(tmp_path, capsys):
        README.run_python(tmp_path)
        assert "return" in capsys.readouterr().out


    def test_the_commands_run(tmp_path):
        for command in README.commands:
            assert run_command(command, tmp_path, "--eval-episodes=1", "--quiet") == 0
    ```

    Attributes:
        path: of the file.
        smaller: what the examples say, and what is run instead; nothing runs if the README does not say it.
    """

    path: Path
    smaller: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def text(self) -> str:
        """The README as it is, nothing made smaller."""
        return self.path.read_text(encoding="utf-8")

    @property
    def commands(self) -> list[str]:
        """The lines of its `bash` blocks that begin with "zoo ", made smaller.

        Raises:
            AssertionError: It has no such block, or does not say what is to be made smaller.
        """
        return [line for block in self.blocks("bash") for line in block.splitlines() if line.startswith("zoo ")]

    def blocks(self, language: str) -> list[str]:
        """Returns its blocks in a language, made smaller.

        Raises:
            AssertionError: It has none, or does not say what is to be made smaller.
        """
        return [self._made_smaller(found[1]) for found in self._found(language)]

    def run_python(
        self, folder: Path, names: Mapping[str, Any] | None = None, *, apart: bool = False
    ) -> list[dict[str, Any]]:
        """Runs its `python` blocks one after the other, made smaller; an error is traced to the line of the README.

        Args:
            folder: is the current one meanwhile.
            names: that the blocks know beforehand.
            apart: Whether each block is a session of its own, which knows no names of the earlier ones.

        Returns:
            The names known after each block.

        Raises:
            AssertionError: It has no such block, or does not say what is to be made smaller.
            Exception: Whatever a block raises.
        """
        new = {"__name__": "example", **(names or {})}
        session, after = dict(new), []
        with contextlib.chdir(folder):
            for found in self._found("python"):
                session = dict(new) if apart else session
                above = "\n" * self.text.count("\n", 0, found.start(1))
                code = above + self._made_smaller(found[1])
                exec(compile(code, self.path, "exec", dont_inherit=True), session)
                after.append(dict(session))
        return after

    def _found(self, language: str) -> list[re.Match[str]]:
        missing = [size for size in self.smaller if size not in self.text]
        assert not missing, f"{self.path} does not say what is to be made smaller: {missing}"
        found = list(re.finditer(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL))
        assert found, f"{self.path} has no block of {language}"
        return found

    def _made_smaller(self, text: str) -> str:
        for size, small in self.smaller.items():
            text = text.replace(size, small)
        return text


def run_command(command: str, folder: Path, *options: str) -> int:
    """Runs a command of `zoo` in this process, and returns its exit code.

    Args:
        command: as it is typed, such as "zoo train ppo --env CartPole-v1"; a comment at its end is left out.
        folder: is the current one meanwhile.
        options: are added to it.
    """
    with contextlib.chdir(folder):
        return main([*shlex.split(command, comments=True)[1:], *options])
