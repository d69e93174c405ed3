"""What the README shows, runs: its Python in one session, in smaller sizes."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {"steps=10_000": "steps=300"}


def smaller(text):
    for size, small in SMALLER.items():
        text = text.replace(size, small)
    return text


def test_the_sizes_that_are_made_smaller_are_there():
    assert [size for size in SMALLER if size not in README] == []


def test_the_examples_run(capsys):
    session = {"__name__": "example"}
    blocks = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(smaller(block), session)
    printed = capsys.readouterr().out
    assert len(blocks) == 3
    assert "reward 1" in printed
    assert re.search(r"to place 15, worth 1.00, visits \[", printed)
