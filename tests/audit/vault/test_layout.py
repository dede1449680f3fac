"""Keys and payloads lie apart, each process's in files of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.audit.vault import layout

STORE = Path("var")


def test_every_place_is_where_the_docs_say() -> None:
    assert layout.root_file(STORE) == Path("var/root.key")
    assert layout.tenants_database(STORE) == Path("var/keys/tenants.sqlite3")
    assert layout.records_database(STORE, "0") == Path("var/keys/0.sqlite3")
    assert layout.payload_file(STORE, "1", day="2026-11-24") == Path("var/payloads/1/2026-11-24.sealed")


def test_slots_share_nothing_but_tenants_keys() -> None:
    assert layout.records_database(STORE, "0") != layout.records_database(STORE, "1")
    assert layout.payloads_folder(STORE, "0") != layout.payloads_folder(STORE, "1")


@pytest.mark.parametrize(
    "day", ["../../x.yz", "2026-11-2", "2026/11/24", "", "2026-11-24\n", "\u0662\u0660\u0662\u0666-11-24", "2026-11-24x"]
)
def test_a_changed_entry_leads_to_no_other_file(day: str) -> None:
    with pytest.raises(ValueError, match="not a day"):
        layout.payload_file(STORE, "0", day=day)
