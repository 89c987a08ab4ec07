"""Which model is meant: a name in a recipe becomes a folder on this disk and a fingerprint. No torch."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import xxhash

from danlu.recipe.choices import optional
from danlu.recipe.errors import UserError
from danlu.recipe.loading import looks_like_path

MODELSCOPE = "modelscope:"
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZER = ("tokenizer*", "vocab*", "merges*", "special_tokens*", "added_tokens*", "chat_template*", "*.model")
CONFIGURATION = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk: where it lies, what the recipe called it, and a fingerprint of its content."""

    name: str
    path: Path
    fingerprint: str


def resolve_model(base: str, revision: str | None = None) -> ModelFolder:
    """Find (and if it is a hub id, fetch) a model, and fingerprint its content.

    Args:
        base: 'seedling', a Hugging Face id, 'modelscope:ID', or a folder.
        revision: branch, tag or commit, for hub ids.

    Raises:
        UserError: no such folder or id, no network, gated, or weights that are not safetensors; says what to do.
    """
    path = _locate(base, revision)
    check_folder(path, base)
    return ModelFolder(base, path, fingerprint(path))


def seedling_folder() -> Path:
    """The small model that is shipped with danlu."""
    return Path(str(resources.files("danlu.models"))) / "seedling"


def _locate(base: str, revision: str | None) -> Path:
    if base == "seedling":
        return seedling_folder()
    if looks_like_path(base):
        path = Path(base).expanduser()
        if not path.is_dir():
            raise UserError(f"there is no folder '{base}'", where="model.base", fix="check the path, or name a hub id")
        return path
    if base.startswith(MODELSCOPE):
        return _from_modelscope(base.removeprefix(MODELSCOPE), revision)
    if "/" not in base:
        raise UserError(
            f"'{base}' is neither a hub id nor a path", where="model.base", fix=f"owner/name, or ./{base} for a folder"
        )
    return _from_hugging_face(base, revision)


def _from_hugging_face(base: str, revision: str | None) -> Path:
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    patterns = [*WEIGHTS, *CONFIGURATION]
    try:
        return Path(snapshot_download(base, revision=revision, allow_patterns=patterns))
    except hub.GatedRepoError:
        reason, fix = "is gated", f"accept its licence on the model's page, then log in: hf auth login (model {base})"
    except hub.RepositoryNotFoundError:
        reason, fix = "does not exist, or is private", "check the spelling; for a private one: hf auth login"
    except hub.RevisionNotFoundError:
        reason, fix = f"has no revision '{revision}'", "check model.revision"
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, OSError) as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "") not in {"", "0"}
        reason = "is not on this disk, and " + ("HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached")
        fix = (
            f"on a machine with network: hf download {base}; then copy the folder and set model.base to it, "
            f"or set HF_ENDPOINT to a mirror, or use 'modelscope:{base}' ({type(error).__name__})"
        )
    except ValueError as error:
        reason, fix = f"is not a valid hub id: {error}", "owner/name, or ./name for a folder"
    raise UserError(f"the model '{base}' {reason}", where="model.base", fix=fix)


def _from_modelscope(base: str, revision: str | None) -> Path:
    modelscope = optional("modelscope", "modelscope")
    try:
        found = modelscope.snapshot_download(base, revision=revision, allow_patterns=[*WEIGHTS, *CONFIGURATION])
    except Exception as error:  # modelscope raises bare requests and ValueError errors of many kinds
        raise UserError(
            f"ModelScope could not deliver '{base}': {error}",
            where="model.base",
            fix="check the id and the network, or download it elsewhere and set model.base to the folder",
        ) from error
    return Path(found)


def check_folder(path: Path, name: str) -> None:
    """Refuse a folder that is no transformers model, or whose weights would have to be unpickled.

    Raises:
        UserError: config.json missing, or weights in another form than safetensors.
    """
    if not (path / "config.json").is_file():
        raise UserError(
            f"'{name}' has no config.json, so it is not a transformers model",
            where=str(path),
            fix="name the folder that holds config.json and *.safetensors",
        )
    if any(path.glob("*.safetensors")):
        return
    pickled = sorted([*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth")])
    if pickled:
        raise UserError(
            f"'{pickled[0].name}' is a pickle, which can run code when it is loaded",
            where=str(path),
            fix="convert the weights to safetensors (save_pretrained does) on a machine you trust",
        )


def fingerprint(path: Path) -> str:
    """Content hash (xxh3, 128 bits, hexadecimal) over configuration, tokenizer and weights of a model folder."""
    return _hash_files(path, (*WEIGHTS, *CONFIGURATION))


def tokenizer_fingerprint(path: Path) -> str:
    """Content hash over the files that decide how text becomes tokens: tokenizer and chat template."""
    return _hash_files(path, TOKENIZER)


def _hash_files(path: Path, patterns: tuple[str, ...]) -> str:
    digest = xxhash.xxh3_128()
    for file in sorted(path.iterdir()):
        if file.is_file() and any(file.match(pattern) for pattern in patterns):
            status = file.stat()
            content = _file_hash(str(file), status.st_size, status.st_mtime_ns)
            digest.update(f"{file.name}:{content};".encode())
    return str(digest.hexdigest())


@functools.lru_cache(maxsize=256)
def _file_hash(path: str, size: int, changed_ns: int) -> str:
    """Hash of a file; size and time of change make a rewritten file a new cache entry."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return str(digest.hexdigest())
