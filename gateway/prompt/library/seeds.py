"""labels.yaml: where a prompt's labels begin, before anybody moves them; a line each, such as `production: v1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import yaml

from gateway.prompt.file.names import is_label, is_version
from gateway.prompt.file.problem import Problem

_MOST = 64
"""Labels of a prompt."""
_MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Seed:
    """The version that a label begins with, and the line that says so."""

    version: str
    line: int


def read_seeds(file: str, data: bytes) -> tuple[Mapping[str, Seed], tuple[Problem, ...]]:
    """Return the version of each label and what is wrong; what is wrong with one label leaves the others alone."""
    if len(data) > _MOST_BYTES:
        return {}, (Problem(file, 0, f"is larger than {_MOST_BYTES} bytes"),)
    try:
        # Not the loader in C: that one crashes the process on deep nesting.
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        return {}, (Problem(file, 0, "is not UTF-8"),)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        return {}, (Problem(file, mark.line + 1 if mark is not None else 0, "is not YAML"),)
    if node is None:
        return {}, ()
    if not isinstance(node, yaml.MappingNode) or len(node.value) > _MOST:
        return {}, (Problem(file, 1, f"must be a mapping of up to {_MOST} labels to versions, such as 'production: v1'"),)
    labels: dict[str, Seed] = {}
    problems = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not is_label(key.value):
            problems.append(Problem(file, line, "a label is a name that is not 'draft' and does not look like 'v7'"))
        elif key.value in labels:
            problems.append(Problem(file, line, f"the label {key.value} stands here twice"))
        elif not isinstance(value, yaml.ScalarNode) or not is_version(value.value):
            problems.append(Problem(file, line, f"the label {key.value} must name a published version, such as v1"))
        else:
            labels[key.value] = Seed(value.value, line)
    return MappingProxyType(labels), tuple(problems)
