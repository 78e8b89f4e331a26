"""Where a reward model's files are, and which weights they hold. No torch: web processes and preflight read it too."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path


class CheckpointRefused(ValueError):
    """The folder holds no reward model that could be loaded whole; says what is wrong with it."""


def checkpoint() -> Path:
    """The folder that WORLDPM_MODEL names, itself or in the hub's cache; nothing is downloaded."""
    name = os.environ.get("WORLDPM_MODEL", "")
    if not name:
        raise CheckpointRefused("Set WORLDPM_MODEL to a checkpoint's folder, or its name in the hub's cache.")
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise CheckpointRefused(f"{name} is no folder, and not in the hub's cache: download it first.") from error


def name_of(folder: Path) -> str:
    """As the hub names it ("Qwen/WorldPM-72B"), or the folder's own name."""
    given = os.environ.get("WORLDPM_MODEL", "")
    return folder.name if Path(given).is_dir() else given


def weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointRefused(f"{folder} holds no .safetensors files; other formats can run code and are not read.")
    return files


@cache
def weights_digest(folder: Path) -> str:
    """SHA-256 in hex over names and SHA-256 of the weight files, the configuration and the tokenizer."""
    whole = hashlib.sha256()
    files = [*weight_files(folder), *(folder / name for name in ("config.json", "tokenizer.json"))]
    for file in sorted(file for file in files if file.exists()):
        whole.update(f"{file.name} {_file_digest(file)}\n".encode())
    return whole.hexdigest()


def _file_digest(file: Path) -> str:
    """The hub's cache names a large file by its SHA-256 already: 146 GB need not be read twice."""
    name = file.resolve().name
    if len(name) == hashlib.sha256().digest_size * 2 and set(name) <= set("0123456789abcdef"):
        return name
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
