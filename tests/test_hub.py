"""`hf://owner/name` with the Hub's own client: against its cache, and against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

import zoo_core
from zoo_core import hub
from zoo_core.cli import main
from zoo_core.errors import ZooError

COMMIT = "a" * 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Saves an agent and a model."""
    place = tmp_path_factory.mktemp("files")
    agent = zoo_core.make_agent("random", "CartPole-v1", seed=3)
    replay = zoo_core.Replay.collect("CartPole-v1", 50, seed=0)
    config = {"hidden": 4, "num_layers": 1, "max_epochs": 1}
    model = zoo_core.make_model("mlp", replay.observation_space, replay.action_space, config)
    model.fit(replay, rng=zoo_core.rng(0))
    return {"agent": agent.save(place / "agent").read_bytes(), "model": model.save(place / "model").read_bytes()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the client, offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def store(cache: Path, repository: str, files: dict[str, bytes], revision: str = "main", commit: str = COMMIT) -> None:
    """Lays files into the cache as the client does."""
    place = cache / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / revision).write_text(commit)
    for name, data in files.items():
        file = place / "snapshots" / commit / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def test_an_agent_is_loaded_from_the_cache(cache, files):
    store(cache, "me/cart", {"agent.zip": files["agent"], "README.md": b"", "evil.py": b"raise SystemExit"})
    assert zoo_core.load("hf://me/cart").seed == 3
    assert zoo_core.load(Path("hf://me/cart")).env_id == "CartPole-v1"


def test_a_model_is_loaded_and_dreamt_in(cache, files):
    store(cache, "me/cart", {"model.zip": files["model"]})
    assert zoo_core.load_model("hf://me/cart").env_id == "CartPole-v1"
    env = zoo_core.DreamEnv("hf://me/cart", horizon=5)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[0].shape == (4,)


def test_a_file_and_a_revision_may_be_named(cache, files):
    store(cache, "me/cart", {"old/best.zip": files["agent"]}, revision="v1", commit="b" * 40)
    assert zoo_core.load("hf://me/cart@v1/old/best.zip").seed == 3
    with pytest.raises(
        ZooError, match=r"hf://me/cart: the Hub cannot be reached \(offline\?\), and there is no agent.zip"
    ):
        zoo_core.load("hf://me/cart")


def test_offline_says_what_is_not_in_the_cache(cache):
    message = (
        r"^hf://me/nothing: the Hub cannot be reached \(offline\?\), and there is no agent\.zip nor model\.zip in the "
        r"cache: go online, or copy the file here and name its path$"
    )
    with pytest.raises(ZooError, match=message):
        zoo_core.load("hf://me/nothing")


def test_a_hub_that_cannot_be_reached_is_tried_only_once(cache, files, monkeypatch):
    store(cache, "me/cart", {"model.zip": files["model"]})
    download, asked = huggingface_hub.hf_hub_download, []

    def ask(*, filename, local_files_only, **options):
        asked.append((filename, local_files_only))
        return download(filename=filename, local_files_only=local_files_only, **options)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", ask)
    assert zoo_core.load_model("hf://me/cart").env_id == "CartPole-v1"
    assert asked == [("agent.zip", False), ("model.zip", True)]


@pytest.mark.parametrize(
    "reference",
    [
        "hf://",
        "hf://me",
        "hf://me/",
        "hf://me/cart/agent.pkl",
        "hf://me/cart/../../secret.zip",
        "hf://../cart",
        "hf://me/..",
        "hf://me/cart@/agent.zip",
        "hf://me/cart@../x.zip",
        "hf://me/c a r t",
        "hf://me/cart\n",
        "hf:///me/cart",
    ],
)
def test_a_malformed_reference_is_shown_with_the_form(cache, reference):
    with pytest.raises(ZooError, match=r"a file on the Hub is named hf://owner/name\[@revision\]\[/file\.zip\], got"):
        zoo_core.load(reference)


def test_a_name_that_the_client_refuses_is_an_error_of_the_zoo(cache):
    with pytest.raises(ZooError, match=r"hf://me/a--b cannot be read: .*'me/a--b'"):
        zoo_core.load("hf://me/a--b")


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ZooError, match=r'reading hf:// needs .* the extra "hub" of zoo-core: pip install huggingface_hub'
    ):
        zoo_core.load("hf://me/cart")


def test_a_foreign_file_from_the_hub_is_refused_as_any_other(cache):
    store(cache, "me/cart", {"agent.zip": b"\x80\x04}q."})
    with pytest.raises(zoo_core.CheckpointError, match="is damaged or was not written by the zoo"):
        zoo_core.load("hf://me/cart")


def test_a_local_path_is_no_reference():
    assert not hub.is_reference("runs/hf://x")
    assert not hub.is_reference(Path("agent.zip"))
    with pytest.raises(FileNotFoundError, match="no saved model or agent at hf"):
        zoo_core.load("hf/me")


# -- the command -------------------------------------------------------------------------------------------------------


def test_eval_takes_a_reference(cache, files, capfd):
    store(cache, "me/cart", {"agent.zip": files["agent"]})
    assert main(["eval", "hf://me/cart", "--episodes", "1"]) == 0
    assert capfd.readouterr().out.startswith("RandomAgent on CartPole-v1: return ")


def test_eval_offline_is_one_line(cache, capfd):
    assert main(["eval", "hf://me/nothing"]) == 2
    assert capfd.readouterr().err.startswith("error: hf://me/nothing: the Hub cannot be reached")


def test_dream_takes_a_reference(cache, files, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store(cache, "me/cart", {"model.zip": files["model"]})
    words = "dream hf://me/cart --algo PPO --timesteps 16 --num-envs 2 --set n_steps=8 --set batch_size=8 --quiet"
    assert main([*words.split(), "--eval-episodes", "0"]) == 0
    assert "saved in runs/ppo-in-cart-0-1" in capfd.readouterr().out


def test_the_environment_variables_of_the_client_count(tmp_path, files):
    store(tmp_path / "hub", "me/cart", {"agent.zip": files["agent"]})
    script = "from zoo_core import hub; print(hub.download('hf://me/cart').parent.name)"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{COMMIT}\n"), done.stderr


# -- online, as far as this machine ------------------------------------------------------------------------------------


class FakeHub(BaseHTTPRequestHandler):
    """Answers as the Hub does for the repository me/cart, and no other."""

    files: dict[str, bytes]
    asked: list[str]
    break_off = False

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.asked.append(self.path)
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        data = self.files.get(name)
        error = (
            "RepoNotFound" if repository != "me/cart"
            else "RevisionNotFound" if revision not in ("main", COMMIT)
            else "EntryNotFound" if data is None
            else None
        )  # fmt: skip
        self.send_response(404 if error else 200)
        if error:
            self.send_header("X-Error-Code", error)
        content = data or b""
        for header in (
            ("X-Repo-Commit", COMMIT),
            ("ETag", f'"{hash(content):x}"'),
            ("Content-Length", str(len(content))),
        ):
            self.send_header(*header)
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if self.break_off else content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def online(cache, files, monkeypatch):
    """A client that is online, of a Hub that runs here."""
    handler = type("Handler", (FakeHub,), {"files": {"agent.zip": files["agent"]}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    template = f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()
    huggingface_hub.close_session()


def test_one_zip_is_downloaded_and_kept(online, cache):
    assert zoo_core.load("hf://me/cart").seed == 3
    assert {Path(path).suffix for path in online.asked} == {".zip"}
    kept = [path for path in cache.rglob("*") if path.is_file()]
    assert "agent.zip" in {path.name for path in kept}


def test_a_repository_without_the_file_says_so(online):
    online.files = {"policy.zip": b""}
    with pytest.raises(
        ZooError, match=r"^hf://me/cart has no agent\.zip nor model\.zip: name the file, hf://me/cart/FILE"
    ):
        zoo_core.load("hf://me/cart")
    with pytest.raises(ZooError, match=r"^hf://me/cart has no best\.zip: name the file"):
        zoo_core.load("hf://me/cart/best.zip")


def test_an_unknown_repository_says_so(online):
    with pytest.raises(
        ZooError, match=r"^hf://you/cart: the Hub has no such repository, or you may not read it: check"
    ):
        zoo_core.load("hf://you/cart")


def test_an_unknown_revision_says_so(online):
    with pytest.raises(ZooError, match=r"^hf://me/cart@v9: the repository has no revision 'v9'"):
        zoo_core.load("hf://me/cart@v9")


def test_a_connection_that_breaks_is_an_error_of_the_zoo(online, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between its attempts
    online.break_off = True
    with pytest.raises(ZooError, match=r"^hf://me/cart cannot be read: "):
        zoo_core.load("hf://me/cart")
