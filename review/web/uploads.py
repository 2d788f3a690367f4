"""Files that a browser sends: written to a folder of their own as they arrive, never to memory.

Names are kept for what they say of a format, and only names that cannot lead anywhere; where a file
lies is chosen here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from labelwright.io.jsonl import PRIVATE

LARGEST = 8 << 30
"""Bytes of one upload."""
MOST_FILES, MOST_FIELDS, LONGEST_FIELD = 300, 20, 2000
SLOWEST = 30.0
"""Seconds without a byte after which an upload is given up."""
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # its messages hold signs sent
_NAME = re.compile(r"\w[\w .()+@=-]{0,119}\Z")


class UploadError(Exception):
    """An upload that is refused, with its status and what to say."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was sent.

    Attributes:
        folders: how many folders stood before its name; browsers send them with whole folders.
    """

    name: str
    path: Path
    folders: int


@dataclass
class Upload:
    """What a form with files brought."""

    folder: Path
    fields: dict[str, str] = field(default_factory=dict)
    files: list[Sent] = field(default_factory=list)


async def receive(request: Request, folder: Path) -> Upload:
    """Read a form with files; the files go to ``folder``, which must be new.

    Raises:
        UploadError: it is no such form, too large, too slow, names a path, or breaks off.
        OSError: the files cannot be written.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not 0 < len(options.get(b"boundary", b"")) <= 200:
        raise UploadError(400, "the form is not understood")
    folder.mkdir(mode=0o700, parents=True)
    receiver = _Receiver(folder, options[b"boundary"])
    parts = aiter(request.stream())
    total = 0
    try:
        while True:
            async with asyncio.timeout(SLOWEST):
                part = await anext(parts, None)
            if part is None:
                break
            total += len(part)
            if total > LARGEST:
                raise UploadError(413, f"an upload has {LARGEST >> 30} GiB at most")
            await run_in_threadpool(receiver.write, part)
        if not receiver.ended:
            raise UploadError(400, "the upload broke off")
    except TimeoutError:
        raise UploadError(408, "the upload took too long to arrive") from None
    except ClientDisconnect:
        raise UploadError(400, "the upload broke off") from None
    except FormParserError:
        raise UploadError(400, "the form is not understood") from None
    finally:
        receiver.close()
    return receiver.upload


class _Receiver:
    """Puts the parts of a form where they belong, a piece at a time."""

    def __init__(self, folder: Path, boundary: bytes) -> None:
        self.upload, self.ended = Upload(folder), False
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._name, self._text = "", bytearray()
        self._file: IO[bytes] | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._gather(lambda: self._header),
                "on_header_value": self._gather(lambda: self._value),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
                "on_end": self._end,
            },
        )

    def write(self, part: bytes) -> None:
        self._parser.write(part)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @staticmethod
    def _gather(into: Callable[[], bytearray]) -> Callable[[bytes, int, int], None]:
        def gather(data: bytes, start: int, end: int) -> None:
            into().extend(data[start:end])

        return gather

    def _begin(self) -> None:
        self._disposition = b""

    def _header_ends(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._text.clear()
        if b"filename" not in options:
            if len(self.upload.fields) >= MOST_FIELDS:
                raise UploadError(400, "the form has too many fields")
            return
        given = options[b"filename"].decode("utf-8", "replace")
        if not given:
            return  # a field for files that was left empty
        sent = self._sent(given)
        number = os.open(sent.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
        self._file = os.fdopen(number, "wb")
        self.upload.files.append(sent)

    def _sent(self, given: str) -> Sent:
        *folders, name = given.split("/")
        if "\\" in given or any(each in ("", ".", "..") for each in folders):
            raise UploadError(400, "a file's name is a path that leads elsewhere")
        if not _NAME.match(name):
            raise UploadError(400, "a file's name has letters, digits, spaces and .()+@=_- alone")
        path = self.upload.folder / name
        if len(folders) > 1:
            path = self.upload.folder / "below" / str(len(self.upload.files))
            path.parent.mkdir(mode=0o700, exist_ok=True)
        elif path.exists():
            raise UploadError(400, f"two files are called {name}")
        if len(self.upload.files) >= MOST_FILES:
            raise UploadError(413, f"an upload has {MOST_FILES} files at most")
        return Sent(name, path, len(folders))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > LONGEST_FIELD:
            raise UploadError(413, "a field of the form is too long")

    def _part_ends(self) -> None:
        if self._file is not None:
            self.close()
        elif self._name and b"filename" not in parse_options_header(self._disposition)[1]:
            try:
                self.upload.fields[self._name] = self._text.decode()
            except UnicodeDecodeError:
                raise UploadError(400, "the form is not understood") from None

    def _end(self) -> None:
        self.ended = True
