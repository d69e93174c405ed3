"""Model cards: what a saved agent or model is, learned from what, how well, and how to load it.

`save` puts a card made from the file alone into the archive, as README.md: `unzip -p model.zip README.md` prints it.
A run directory gets a longer one, made by `write_card` from everything in it. Both are in the format of the Hugging
Face Hub, so a folder with one can be uploaded as it is: `hf upload owner/name runs/X`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo_core import archive, hub, rundir, spaces
from zoo_core.errors import CheckpointError, ZooError
from zoo_core.plugins import find_class, spec_of
from zoo_core.plugins.lookup import Kind

CARD = "README.md"
GAP = "gap.json"  # of a run directory, if its reality gap was measured
_REGISTRY: dict[str, Kind] = {"agent": "agent", "world_model": "model"}
_MARK = "<!-- Written by zoo-core, and again when something new is known. Without this line it stays as it is. -->"


def write_card(path: str | Path) -> Path:
    """Writes README.md beside a saved file, from its header, the record of its run and its reality gap if there is one.

    A README.md that does not hold the line which marks those of zoo-core is left alone.

    Args:
        path: a run directory, or the file of an agent or model.

    Returns:
        The path of the card.

    Raises:
        FileNotFoundError: there is no saved file.
        CheckpointError: a file that the card is made from is damaged.
        ZooError: the card cannot be written.
    """
    file = archive.find_archive(path)
    card = file.with_name(CARD)
    if card.exists() and _MARK not in card.read_text(errors="replace"):
        return card
    record = rundir.RunDirectory.open(file).record
    text = make_card(archive.read_header(file), record, _read_gap(file.with_name(GAP)), file=file.name)
    archive.write_atomically(card, lambda opened: opened.write(text.encode()))
    return card


def make_card(
    header: Mapping[str, Any],
    record: Mapping[str, Any] | None = None,
    gap: Mapping[str, Any] | None = None,
    *,
    file: str | None = None,
) -> str:
    """Returns the card of a saved agent or model: YAML for the Hub, then Markdown.

    Args:
        header: the description in its archive.
        record: of its run, if it has one.
        gap: the summary of its reality gap, if that was measured.
        file: its name; None if the card is to be in the file itself.
    """
    record, kind = record or {}, header["kind"]
    description, model = header[kind], header.get("world_model")
    name = record.get("agent") or _name_of(kind, description["class"])
    env = record.get("env") or {"id": description["env_id"], "kwargs": {}}
    env_id, result = env["id"] or "an environment without a name", record.get("result")
    facts = {
        kind.replace("_", " "): f"`{name}` ({description['class']})",
        "environment": f"`{env_id}`" + (f" with `{json.dumps(env['kwargs'])}`" if env["kwargs"] else ""),
        "observation space": spaces.space_from_json(description["observation_space"]),
        "action space": spaces.space_from_json(description["action_space"]),
        "training data": _training_data(header),
        "seed": description["seed"],
        "versions": ", ".join(f"{what} {v}" for what, v in (record.get("versions") or rundir.versions()).items()),
    }
    if kind == "agent" and model is not None:
        facts["world model"] = f"`{_name_of('world_model', model['class'])}` ({model['class']})"
    parts = [
        _front_matter(name, env["id"], model is not None, result),
        f"# {name} on {env_id}\n",
        *([_MARK + "\n"] if file else []),
        "Made with Agent Zoo (zoo-core). Opening the file runs no code from it: it holds JSON and safetensors.\n",
        f"## Load it\n\nFrom the Hub, or from a path:\n\n{_code(_loading(kind, file, model is not None))}",
        f"## What it is\n\n{_table(facts)}",
        *([f"## Evaluation\n\n{_evaluation(result)}"] if kind == "agent" else []),
        f"## Reality gap\n\n{_reality_gap(gap, model is not None)}",
        f"## Config\n\n{_code(json.dumps(description['config'] or {}, indent=2), 'json')}",
    ]
    if kind == "agent" and model is not None:
        parts.append(f"## Config of the world model\n\n{_code(json.dumps(model['config'] or {}, indent=2), 'json')}")
    return "\n".join(parts)


def _front_matter(name: str, env_id: str | None, has_model: bool, result: Mapping[str, Any] | None) -> str:
    """Returns the YAML at the top; each value is JSON, which YAML takes."""
    tags = ["reinforcement-learning", "gymnasium", *(["world-model"] if has_model else []), name]
    entries: dict[str, Any] = {
        "library_name": "zoo-core",
        "pipeline_tag": "reinforcement-learning",
        "tags": [*tags, *([env_id] if env_id else [])],
    }
    if result and env_id:
        task = {"type": "reinforcement-learning", "name": "reinforcement-learning"}
        metric = {"type": "mean_reward", "name": "mean_reward", "value": round(result["mean"], 2), "verified": False}
        found = {"task": task, "dataset": {"name": env_id, "type": env_id}, "metrics": [metric]}
        entries["model-index"] = [{"name": f"{name} on {env_id}", "results": [found]}]
    lines = [f"{key}: {json.dumps(value)}" for key, value in entries.items()]
    return "\n".join(["---", *lines, "---", ""])


def _training_data(header: Mapping[str, Any]) -> str:
    """Says from how much real experience was learned."""
    parts = []
    if "agent" in header:
        parts.append(f"{header['agent']['num_timesteps']:,} env steps")
    if (stored := header.get("recordings", {}).get("replay", {}).get("num_steps")) is not None:
        parts.append(f"{stored:,} steps added to the replay, which the file holds")
    if "world_model" in header:
        parts.append(f"world model fitted to {header['world_model'].get('replay_steps', 0):,} steps")
    return ", ".join(parts)


def _loading(kind: str, file: str | None, has_model: bool) -> str:
    where = "PATH" if file is None else hub.PREFIX + "OWNER/NAME"
    if file is not None and file not in hub.DEFAULT_FILES:
        where += f"/{file}"
    lines = ["import zoo_core", ""]
    if kind == "agent":
        lines += [f'agent = zoo_core.load("{where}")', "action, state = agent.predict(observation)"]
    if has_model:
        lines += [f'dreams = zoo_core.DreamVecEnv(zoo_core.load_model("{where}"), num_envs=64)']
    return "\n".join(lines)


def _evaluation(result: Mapping[str, Any] | None) -> str:
    if not result:
        return "Not evaluated: `zoo eval` measures the returns.\n"
    return (
        f"Return {result['mean']:.2f} ± {result['std']:.2f} (mean and standard deviation; lowest {result['min']:.2f}, "
        f"highest {result['max']:.2f}) over {result['episodes']} episodes in the real environment, seeds from "
        f"{result['seed']} on.\n"
    )


def _reality_gap(gap: Mapping[str, Any] | None, has_model: bool) -> str:
    if not has_model:
        return "It has no world model.\n"
    if gap is None:
        return "Not measured: run `zoo gap RUN`.\n"
    return _table({key.replace("_", " "): f"{v:.4g}" if isinstance(v, float) else v for key, v in gap.items()})


def _read_gap(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        summary = json.loads(path.read_text())["summary"]
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged, or no report of a reality gap: {error}") from error
    if not isinstance(summary, dict):
        raise CheckpointError(f"{path} is no report of a reality gap: its summary is {summary!r:.40}")
    return summary


def _name_of(kind: str, reference: str) -> str:
    """Returns the id that a class is registered under, else its own name."""
    try:
        spec = spec_of(find_class(_REGISTRY[kind], reference), _REGISTRY[kind])
    except ZooError:
        spec = None
    return spec.id if spec else reference.rpartition(":")[2]


def _table(rows: Mapping[str, Any]) -> str:
    cells: Iterable[tuple[str, str]] = ((key, " ".join(str(value).split())) for key, value in rows.items())
    return "| | |\n| --- | --- |\n" + "".join(
        "| {} | {} |\n".format(*(c.replace("|", "\\|") for c in row)) for row in cells
    )


def _code(text: str, language: str = "python") -> str:
    return f"```{language}\n{text}\n```\n"
