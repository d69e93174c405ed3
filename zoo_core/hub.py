"""Saved files on the Hugging Face Hub: `hf://owner/name` wherever a path is read.

`hf://owner/name` is the repository's `agent.zip`, else its `model.zip`; `hf://owner/name/folder/file.zip` another file;
`hf://owner/name@revision` a branch, tag or commit. One zip is downloaded, into the Hub client's own cache, and read as
any other: no code comes with it.

A run directory becomes a repository, its README.md the model card, by the client's own command:

    hf upload owner/name runs/X
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from zoo_core.errors import ZooError

PREFIX = "hf://"
DEFAULT_FILES = ("agent.zip", "model.zip")  # of a repository whose file is not named
_REFERENCE = re.compile(
    r"hf:/{1,2}"  # pathlib makes one slash of two
    r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?(/(?P<file>([\w.-]+/)*[\w.-]+\.zip))?"
)


def is_reference(path: str | Path) -> bool:
    """Says whether a path means a file on the Hub."""
    return re.match("hf:/", str(path)) is not None


def download(reference: str | Path) -> Path:
    """Returns the local copy of a file on the Hub, downloaded if it is not in the client's cache.

    Args:
        reference: `hf://owner/name[@revision][/file.zip]`.

    Raises:
        ZooError: the reference is malformed, the client is not installed, the Hub has no such file, or it cannot be
            reached and the file is not in the cache.
    """
    match = _REFERENCE.fullmatch(str(reference))
    if match is None or ".." in re.split("[/@]", str(reference)):
        raise ZooError(f"a file on the Hub is named hf://owner/name[@revision][/file.zip], got {str(reference)!r}")
    hf: Any = _client()
    files = (match["file"],) if match["file"] else DEFAULT_FILES
    asked = {"repo_id": match["repository"], "revision": match["revision"], "library_name": "zoo-core"}
    where = f"{PREFIX}{match['repository']}" + (f"@{match['revision']}" if match["revision"] else "")
    not_cached = False
    try:
        for file in files:
            try:
                # Where one file has tried to reach the Hub for long enough, the next is looked for in the cache alone.
                return Path(hf.hf_hub_download(filename=file, local_files_only=not_cached, **asked))
            except hf.errors.LocalEntryNotFoundError:
                not_cached = True
            except hf.errors.EntryNotFoundError:
                continue
    except hf.errors.RevisionNotFoundError as error:
        raise ZooError(f"{where}: the repository has no revision {match['revision']!r}") from error
    except hf.errors.RepositoryNotFoundError as error:
        raise ZooError(
            f"{where}: the Hub has no such repository, or you may not read it: check the name, or log in with "
            "`hf auth login`"
        ) from error
    except Exception as error:  # whatever the client's version of an HTTP library raises
        raise ZooError(f"{where} cannot be read: {' '.join(str(error).split())}") from error
    names = " nor ".join(files)
    if not_cached:
        raise ZooError(
            f"{where}: the Hub cannot be reached (offline?), and there is no {names} in the cache: go online, or copy "
            "the file here and name its path"
        )
    raise ZooError(f"{where} has no {names}: name the file, {where}/FILE.zip")


def _client() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise ZooError(
            f'reading {PREFIX} needs the client of the Hub, the extra "hub" of zoo-core: pip install huggingface_hub'
        ) from error
    return huggingface_hub
