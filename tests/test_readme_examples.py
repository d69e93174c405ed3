"""`zoo_core.testing.readme`: a README's examples run as a reader would run them, and one that is broken is told."""

import traceback
from pathlib import Path

import pytest

from zoo_core.testing.readme import Readme, run_command

TEXT = """# A plugin

```bash
pip install zoo-any
zoo train any --timesteps 2000  # takes a minute
```

```python
from pathlib import Path

steps = 2_000
Path("first.txt").write_text(str(steps))
```

More:

```python
steps = globals().get("steps", 0) + extra
```

```bash
zoo list
```
"""
SMALLER = {"--timesteps 2000": "--timesteps 20", "2_000": "20"}


def readme(folder, text=TEXT, smaller=SMALLER):
    path = folder / "README.md"
    path.write_text(text)
    return Readme(path, smaller)


def test_blocks_are_made_smaller_and_the_text_is_not(tmp_path):
    assert "steps = 20\n" in readme(tmp_path).blocks("python")[0]
    assert readme(tmp_path).text == TEXT


def test_commands_are_the_lines_for_zoo(tmp_path):
    assert readme(tmp_path).commands == ["zoo train any --timesteps 20  # takes a minute", "zoo list"]


def test_a_size_that_is_not_there_is_told(tmp_path):
    with pytest.raises(AssertionError, match=r"README.md does not say what is to be made smaller: \['3_000'\]"):
        readme(tmp_path, smaller={"2_000": "20", "3_000": "30"}).run_python(tmp_path)
    assert not (tmp_path / "first.txt").exists()


def test_a_readme_without_a_block_of_the_language_is_told(tmp_path):
    with pytest.raises(AssertionError, match=r"README.md has no block of toml"):
        readme(tmp_path).blocks("toml")


def test_later_blocks_know_the_names_of_earlier_ones(tmp_path):
    first, second = readme(tmp_path).run_python(tmp_path, {"extra": 1})
    assert (first["steps"], second["steps"]) == (20, 21)


def test_blocks_that_run_apart_know_only_what_they_are_given(tmp_path):
    first, second = readme(tmp_path).run_python(tmp_path, {"extra": 1}, apart=True)
    assert (first["steps"], second["steps"]) == (20, 1)


def test_examples_run_in_the_folder_and_leave_it_again(tmp_path):
    here = Path.cwd()
    readme(tmp_path).run_python(tmp_path, {"extra": 1})
    assert (tmp_path / "first.txt").read_text() == "20"
    assert Path.cwd() == here


def test_an_error_is_traced_to_its_line_of_the_readme(tmp_path):
    with pytest.raises(NameError, match="'extra' is not defined") as caught:
        readme(tmp_path).run_python(tmp_path)
    place = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (place.filename, place.lineno) == (str(tmp_path / "README.md"), 18)
    assert TEXT.splitlines()[17].endswith("+ extra")


def test_annotations_mean_to_an_example_what_they_mean_to_a_reader(tmp_path):
    (names,) = readme(tmp_path, "```python\ndef half(x: int): ...\n```\n", {}).run_python(tmp_path)
    assert names["half"].__annotations__ == {"x": int}


def test_a_command_runs_with_its_options_and_without_its_comment(tmp_path, capsys):
    assert run_command("zoo list  # all agents", tmp_path, "--help") == 0
    assert "zoo list" in capsys.readouterr().out


def test_a_command_that_is_wrong_has_its_exit_code(tmp_path, capsys):
    assert run_command("zoo trian", tmp_path) == 2
    assert "unknown command 'trian'" in capsys.readouterr().err
