"""The files that staff bring: written where they stay, as they come in, and gone when nobody needs them any more.

Each upload has a folder of its own, with a random name and for our processes only, under ``UPLOADS``. Web and workers
share it.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.http import HttpRequest

from members.csv_files import MAX_BYTES

# What comes with the file in the body of a form.
_AROUND = 64 * 2**10
_SOURCE = "file"


def new_folder() -> str:
    """Make a folder and return its name."""
    name = secrets.token_hex(16)
    settings.UPLOADS.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.UPLOADS / name).mkdir(mode=0o700)
    return name


def source(folder: str) -> Path:
    """The file as it was brought."""
    return beside(folder, _SOURCE)


def beside(folder: str, name: str) -> Path:
    """Where something that is made of the file belongs."""
    path: Path = settings.UPLOADS / folder / name
    return path


def discard(folder: str, *, but: str = "") -> None:
    """Delete a folder, or all in it except one file. Whatever is gone already is no matter."""
    path = settings.UPLOADS / folder
    if not but:
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(FileNotFoundError):
        for entry in path.iterdir():
            if entry.name != but:
                entry.unlink(missing_ok=True)


def folders() -> Iterator[tuple[str, float]]:
    """Those there are, and when each was last written to, in seconds since the epoch."""
    if settings.UPLOADS.is_dir():
        for entry in settings.UPLOADS.iterdir():
            with suppress(FileNotFoundError):  # gone meanwhile
                yield entry.name, entry.stat().st_mtime


class Brought(UploadedFile[bytes]):
    """A file that was written to its folder, of which nothing is in memory."""

    def __init__(self, folder: str, name: str, size: int, sha256: str) -> None:
        super().__init__(None, name, size=size)
        self.folder, self.length, self.sha256 = folder, size, sha256

    def close(self) -> None:
        """There is nothing to close."""


class NoFiles(FileUploadHandler):
    """For all pages but one: nobody has been asked for a file."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never asked."""

    def file_complete(self, file_size: int) -> None:
        """Never asked."""


class FolderHandler(FileUploadHandler):
    """Writes the one file of a request into a folder, which is deleted unless ``keep`` is called.

    Whoever sends more than ``MAX_BYTES`` is refused before anything is read where they say so, else on the way.
    """

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.too_big = _announced(request) > MAX_BYTES + _AROUND
        self._folder = ""
        self._file: IO[bytes] | None = None
        self._size = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> FolderHandler:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file:
            self._file.close()
        if self._folder:
            discard(self._folder)

    def keep(self) -> None:
        """The folder belongs to somebody now."""
        self._folder = ""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self._folder:
            raise SkipFile
        super().new_file(*args, **kwargs)
        self._folder = new_folder()
        self._file = source(self._folder).open("xb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._file  # noqa: S101  (tells the type checker)
        self._size += len(raw_data)
        if self._size > MAX_BYTES:
            self.too_big = True
            raise StopUpload(connection_reset=False)
        self._hash.update(raw_data)
        self._file.write(raw_data)

    def file_complete(self, file_size: int) -> Brought:
        assert self._file  # noqa: S101  (tells the type checker)
        self._file.close()
        return Brought(self._folder, str(self.file_name), file_size, self._hash.hexdigest())


def _announced(request: HttpRequest) -> int:
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(length) if length.isdecimal() else 0
