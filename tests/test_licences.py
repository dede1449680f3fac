"""What we require, directly or not, may be used and shipped by a company: no GPL, AGPL, BSL, SSPL.

Read from the metadata of what is installed, for the package itself and its extras but `dev` and `vllm`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("", "managed", "guardrails", "postgres")

WEAK_COPYLEFT_ALLOWED: dict[str, str] = {}
"""Packages under the LGPL, each with the reason why it may stay: imported, never changed, replaceable by its user."""

READ_BY_HAND: dict[str, str] = {}
"""Packages whose metadata name no licence, with what their licence file says."""

_DENIED = re.compile(
    r"\bA?GPL|GNU (Affero )?General Public|\bBUSL|\bBSL-1\.1|Business Source|\bSSPL|Server Side Public|Commons Clause|"
    r"Elastic License|non-?commercial",
    re.IGNORECASE,
)
_WEAK = re.compile(r"\bLGPL|GNU (Lesser|Library)", re.IGNORECASE)


def verdict(name: str, licence: str) -> str:
    """Return what is wrong with a package's licence, or nothing."""
    if not licence and name not in READ_BY_HAND:
        return f"{name}: names no licence"
    if _WEAK.search(licence):
        return "" if name in WEAK_COPYLEFT_ALLOWED else f"{name}: {licence}: list it with its reason, or replace it"
    alternatives = re.split(r"\bOR\b", licence)
    return f"{name}: {licence}" if all(_DENIED.search(each) for each in alternatives) else ""


def licence_of(package: Distribution) -> str:
    """Return a package's licence in its own words: the expression, else the classifiers, else the first line of the text."""
    fields = {name: package.metadata.get_all(name) or [] for name in ("License-Expression", "Classifier", "License")}
    if fields["License-Expression"]:
        return str(fields["License-Expression"][0])
    classifiers = [text for text in fields["Classifier"] if text.startswith("License ::") and not text.endswith("OSI Approved")]
    if classifiers:
        return " AND ".join(text.rpartition(" :: ")[2] for text in classifiers)
    return str(fields["License"][0]).strip().partition("\n")[0] if fields["License"] else ""


def _required(name: str, extras: tuple[str, ...]) -> Iterator[Distribution]:
    """Yield every installed package below `name`, each once."""
    waiting, seen = [(name, extras)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        try:
            package = distribution(place[0])
        except PackageNotFoundError:
            continue  # its marker asks for another platform
        yield package
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *place[1])):
                waiting.append((canonicalize_name(needed.name), tuple(sorted(needed.extras))))


def test_no_requirement_has_a_licence_that_binds_its_users() -> None:
    found = {package.metadata["Name"]: licence_of(package) for package in _required("gatehouse", EXTRAS)}
    assert len(found) > 60, "the extras are not installed"
    assert [wrong for name, licence in sorted(found.items()) if (wrong := verdict(name, licence))] == []


def test_control_a_binding_licence_is_found() -> None:
    for licence in ("GPL-3.0-only", "AGPL-3.0-or-later", "BUSL-1.1", "GNU General Public License v3 (GPLv3)", "SSPL-1.0", ""):
        assert verdict("sample", licence)
    assert verdict("sample", "LGPL-3.0-only")
    for licence in ("MIT", "Apache-2.0 OR GPL-2.0-only", "BSL-1.0", "BSD-3-Clause AND PSF-2.0"):
        assert not verdict("sample", licence)
