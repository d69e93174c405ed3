"""Model cards: what they say, where they are, and that the Hub's own client reads them."""

from __future__ import annotations

import json
import zipfile

import pytest
from huggingface_hub import ModelCard

import zoo_core
from zoo_core import archive
from zoo_core.errors import CheckpointError
from zoo_core.model_card import make_card, write_card
from zoo_core.rundir import RunDirectory

ENV = "CartPole-v1"
SMALL = {"hidden": 4, "num_layers": 1, "max_epochs": 1}
RESULT = {"episodes": 20, "seed": 10_000, "mean": 487.256, "std": 3.5, "min": 480.0, "max": 500.0}
GAP = {"steps_ahead": 5, "error_over_best_baseline": 0.123456, "verdict": "the dream is | close\nto reality"}


@pytest.fixture(scope="module")
def agent():
    settings = {
        "model": "mlp",
        "model_config": SMALL,
        "initial_steps": 30,
        "dream_steps": 16,
        "num_dreams": 2,
        "ppo": {"n_steps": 8, "batch_size": 8},
    }
    return zoo_core.make_agent("dream-ppo", ENV, settings, seed=5).learn(30)


@pytest.fixture
def run(agent, tmp_path):
    """A finished run directory."""
    record = {"kind": "train", "agent": "dream-ppo", "env": {"id": ENV, "kwargs": {"g": 9.0}}, "result": RESULT}
    directory = RunDirectory.create("x", record, out=tmp_path / "run")
    agent.save(directory.path / "agent.zip")
    return directory.path


def card_in(path):
    return zipfile.ZipFile(path).read("README.md").decode()


def test_save_writes_a_card_into_the_archive(agent, tmp_path):
    text = card_in(agent.save(tmp_path / "agent"))
    for part in (
        "# dream-ppo on CartPole-v1\n",
        "| agent | `dream-ppo` (zoo_sb3.dream_agent:DreamPPOAgent) |",
        "| environment | `CartPole-v1` |",
        "| observation space | Box([-4.8 ",
        "| action space | Discrete(2) |",
        "| training data | 30 env steps, 30 steps added to the replay, which the file holds, "
        "world model fitted to 30 steps |",
        "| seed | 5 |",
        f"zoo-core {zoo_core.__version__}, gymnasium ",
        "| world model | `mlp` (zoo_ensemble.world_model:MLP) |",
        "Not measured: run `zoo gap RUN`.",
        '"n_steps": 8',
        '"hidden": 4',
    ):
        assert part in text


def test_a_model_has_a_card_of_its_own(agent, tmp_path):
    text = card_in(agent.world_model.save(tmp_path / "model"))
    assert "# mlp on CartPole-v1\n" in text
    assert "| training data | world model fitted to 30 steps |" in text
    assert "## Evaluation" not in text
    assert "zoo_core.load(" not in text


def test_a_file_without_its_replay_says_so(agent, tmp_path):
    text = card_in(agent.save(tmp_path / "agent", exclude=["replay"]))
    assert "| training data | 30 env steps, world model fitted to 30 steps |" in text


def test_an_agent_without_a_model_has_no_gap(tmp_path):
    text = card_in(zoo_core.make_agent("random", ENV, seed=0).save(tmp_path / "agent"))
    assert "It has no world model." in text
    assert "load_model" not in text


def test_a_run_directory_gets_the_record_of_its_run(run):
    text = write_card(run).read_text()
    assert write_card(run) == run / "README.md"
    assert '| environment | `CartPole-v1` with `{"g": 9.0}` |' in text
    assert "Return 487.26 ± 3.50 (mean and standard deviation; lowest 480.00, highest 500.00) over 20 episodes" in text
    assert "seeds from 10000 on" in text
    assert 'zoo_core.load("hf://OWNER/NAME")' in text
    assert "Not measured: run `zoo gap RUN`." in text


def test_the_reality_gap_is_shown_once_it_was_measured(run):
    write_card(run)
    (run / "gap.json").write_text(json.dumps({"summary": GAP}))
    text = write_card(run).read_text()
    assert "| steps ahead | 5 |\n| error over best baseline | 0.1235 |\n" in text
    assert "| verdict | the dream is \\| close to reality |" in text
    assert "Not measured" not in text


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"summary": 3}'])
def test_a_damaged_report_of_the_gap_is_named(run, damage):
    (run / "gap.json").write_text(damage)
    with pytest.raises(CheckpointError, match=r"gap\.json is (damaged, or )?no report of a reality gap"):
        write_card(run)


def test_the_client_of_the_hub_reads_the_front_matter(run):
    card = ModelCard.load(write_card(run))
    assert card.data.library_name == "zoo-core"
    assert card.data.pipeline_tag == "reinforcement-learning"
    assert card.data.tags == ["reinforcement-learning", "gymnasium", "world-model", "dream-ppo", ENV]
    [result] = card.data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == (ENV, "mean_reward", 487.26)
    assert card.text.startswith("\n# dream-ppo on CartPole-v1")


def test_no_name_breaks_the_front_matter(run):
    header = archive.read_header(run / "agent.zip")
    header["agent"]["env_id"] = 'a: "b"\n---\n- {[#'
    card = ModelCard(make_card(header))
    assert card.data.tags[-1] == 'a: "b"\n---\n- {[#'


def test_a_card_that_a_person_wrote_is_left_alone(run):
    (run / "README.md").write_text("# Mine\n")
    assert write_card(run).read_text() == "# Mine\n"


def test_how_to_load_it_works(run, monkeypatch):
    import gymnasium

    snippet = write_card(run).read_text().partition("```python\n")[2].partition("```")[0]
    assert len([line for line in snippet.splitlines() if line]) <= 4
    observation, _ = gymnasium.make(ENV).reset(seed=0)
    found = {"observation": observation}
    exec(snippet.replace("hf://OWNER/NAME", str(run)), found)
    assert found["action"] in (0, 1)
    assert found["dreams"].num_envs == 64


def test_a_bare_file_gets_a_card_beside_it_when_asked_for(agent, tmp_path):
    path = agent.world_model.save(tmp_path / "pole")
    text = write_card(path).read_text()
    assert 'zoo_core.load_model("hf://OWNER/NAME/pole.zip")' in text


def test_without_a_saved_file_there_is_no_card(tmp_path):
    with pytest.raises(FileNotFoundError, match="no saved model or agent at"):
        write_card(tmp_path)


def test_a_model_of_no_plugin_goes_by_its_class(agent, tmp_path):
    header = archive.read_header(agent.world_model.save(tmp_path / "model"))
    header["world_model"]["class"] = "somebody.model:LinearModel"
    assert "| world model | `LinearModel` (somebody.model:LinearModel) |" in make_card(header)
