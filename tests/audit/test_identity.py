from __future__ import annotations

from gateway.audit.identity import Identity


def test_a_log_s_name_comes_from_site_node_and_slot() -> None:
    identity = Identity("bank/eu", "a1b2c3d4", "2", boot="0011223344556677", software="gatehouse/0.1.0")
    assert identity.origin == "bank/eu/a1b2c3d4-2"
