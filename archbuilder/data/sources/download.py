"""Downloads a file into a cache: checked, and whole or not there."""

from __future__ import annotations

import os
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from archbuilder.errors import ArchbuilderError

CHUNK = 2**18
MAX_BYTES = 2**30
TIMEOUT = 30


class DownloadError(ArchbuilderError):
    """The file could not be had, and why."""


def download(url: str, target: Path, checksum: str) -> None:
    """Writes what lies at `url` to `target` once its sha256 is right; raises DownloadError."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 (the addresses are ours)
            found = _copy(response, part, target.name)
        if found != checksum:
            raise DownloadError(f"what lies at {url} is not what is expected: its sha256 is {found}, not {checksum}")
        part.replace(target)
    except (OSError, HTTPException) as error:
        raise DownloadError(f"{url}: {_reason(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> object:
    return error.reason if isinstance(error, URLError) and not isinstance(error, HTTPError) else error


def _copy(response: HTTPResponse, part: Path, name: str) -> str:
    """The sha256 of what was copied."""
    digest, count = sha256(), 0
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
    length = response.headers.get("Content-Length") or ""
    with part.open("wb") as file, progress:
        task = progress.add_task(name, total=int(length) if length.isdigit() else None)
        while chunk := response.read(CHUNK):
            count += len(chunk)
            if count > MAX_BYTES:
                raise DownloadError(f"more than {MAX_BYTES:,} bytes came for {name}")
            file.write(chunk)
            digest.update(chunk)
            progress.update(task, advance=len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if length.isdigit() and count < int(length):
        raise DownloadError(f"{name} was cut off after {count:,} of {int(length):,} bytes: try again")
    return digest.hexdigest()
