"""What a prompt's file may hold at most: one dataclass, so that every cap can be read in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Caps of a prompt's file. `*_bytes` count UTF-8 as it lies on the disk, `*_chars` code points."""

    file_bytes: int = 1_048_576
    """The file, and each of its fragments."""
    front_bytes: int = 65_536
    """The front matter."""
    front_values: int = 10_000
    """Keys, texts, lists and mappings of the front matter, each alias counted with all that it stands for."""
    front_depth: int = 24
    """Mappings and lists inside each other."""
    aliases: int = 16
    """`*name` in the front matter: a dozen lines of them could stand for gigabytes."""
    body_chars: int = 1_048_576
    """The body, once its fragments are in place."""
    includes: int = 256
    """Of body and fragments together."""
    include_depth: int = 3
    """A fragment's fragment's fragment."""
    inputs: int = 128
    """Inputs, and properties of one object."""
    values: int = 256
    """`enumValues` of one property."""
    value_chars: int = 1024
    """One of `enumValues`."""
    patterns: int = 32
    """Regular expressions of one prompt."""
    pattern_bytes: int = 1024
    """A regular expression, as it is written."""
    compiled_bytes: int = 1_048_576
    """A regular expression, once compiled: ten milliseconds of work, and that more than once."""
    key_chars: int = 256
    """A key of the front matter."""
    problems: int = 100
    """So many problems of one file are told; a file with more is none of ours."""
    description_chars: int = 4096
    """The description of a prompt, a property or a tool."""


LIMITS = FileLimits()
