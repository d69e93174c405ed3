"""What the README shows, runs: its Python in one session, in smaller sizes."""

import re
from pathlib import Path

from zoo_core.testing.readme import Readme

SMALLER = {"steps=10_000": "steps=300"}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)


def test_the_examples_run(tmp_path, capsys):
    assert len(README.run_python(tmp_path)) == 6
    printed = capsys.readouterr().out
    assert "reward 1" in printed
    assert re.search(r"100 simulations are right in 9[78]%", printed)
    assert "(5, 5, 9) 25" in printed
    assert "Proof(games=20, " in printed
    assert re.search(r"to place 15, worth 1.00, visits \[", printed)
