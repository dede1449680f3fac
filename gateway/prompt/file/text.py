"""The text of a prompt's file or fragment: UTF-8, lines that end in LF, nothing that cannot be seen. Pure."""

from __future__ import annotations

import re
from typing import Final

from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem, PromptInvalid

_BOM = b"\xef\xbb\xbf"
CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no text of a prompt holds: control characters but tab and the ends of lines, surrogates, what is no character."""


def read_text(file: str, data: bytes) -> str:
    """Return the text of a file without BOM and with LF for CRLF and CR; raises `PromptInvalid` naming the line at fault."""
    if len(data) > LIMITS.file_bytes:
        raise PromptInvalid([Problem(file, 0, f"is larger than {LIMITS.file_bytes} bytes")])
    data = data.removeprefix(_BOM)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = _with_lf(data[: error.start].decode()).count("\n") + 1
        raise PromptInvalid([Problem(file, line, "is not UTF-8")]) from None
    text = _with_lf(text)
    if found := CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise PromptInvalid([Problem(file, line, f"holds the control character U+{ord(found[0]):04X}")])
    return text


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
