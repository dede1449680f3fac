"""Callers are who their key proves, in one text for all who do not, and use what their tenant and app may."""

from __future__ import annotations

import asyncio

import pytest

from gateway.caller.callers import Callers
from gateway.caller.key import new_key
from gateway.caller.keys import open_keys
from gateway.errors import SettingsError, Unauthenticated
from gateway.exchange.caller import Caller
from gateway.settings.tree import App, Store, Tenant
from tests.caller.fakes import NOW, Clock, Keys, admitted, forge, refused, run


def test_a_key_proves_its_tenant_app_and_role(keys: Keys, clock: Clock) -> None:
    key = keys.add("acme", "billing")

    async def use(callers: Callers) -> None:
        expected = Caller(tenant="acme", app="billing", key_id=key[4:16], role="app")
        assert callers.lookup(key) is None
        assert await callers.identify(key) == expected
        assert callers.lookup(key) == expected

    run(keys, clock, use)


def test_a_real_store_is_asked_once_for_200_requests_at_once(store: Store, clock: Clock) -> None:
    keys = open_keys(store)
    key, record = keys.create("acme")

    async def use(callers: Callers) -> None:
        found = await asyncio.gather(*(callers.identify(key) for _ in range(200)))
        assert {caller.key_id for caller in found} == {record.id}

    try:
        run(keys, clock, use)
    finally:
        keys.close()


def test_what_is_no_key_is_refused_without_a_lookup(keys: Keys, clock: Clock) -> None:
    key = keys.add()
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")

    async def use(callers: Callers) -> None:
        for credential in (None, "", "gth_", "sk-123", wrong, key + "0", key[:-1], f"Bearer {key}", "\ud800" * 66, "x" * 50_000):
            await refused(callers, credential)

    run(keys, clock, use)
    assert keys.lookups == []


def test_every_wrong_key_is_refused_in_the_same_words(keys: Keys, clock: Clock) -> None:
    wrong = {
        "unknown": new_key().text,
        "expired": keys.add(expires=int(NOW)),
        "revoked": keys.add(revoked=int(NOW) - 1),
        "tenant gone": keys.add("gone"),
        "app gone": keys.add("acme", "gone"),
        "app of another tenant": keys.add("all", "billing"),
    }

    async def use(callers: Callers) -> None:
        for _ in ("looked up", "from memory"):
            for key in wrong.values():
                await refused(callers, key)

    run(keys, clock, use)
    assert len(keys.lookups) == len(wrong)


def test_a_known_id_with_another_secret_is_refused_before_and_after_the_right_one(keys: Keys, clock: Clock) -> None:
    key = keys.add()
    forged = forge(key[4:16])

    async def use(callers: Callers) -> None:
        await refused(callers, forged)
        await admitted(callers, key)
        await refused(callers, forged)
        with pytest.raises(Unauthenticated):
            callers.lookup(forged)
        with pytest.raises(Unauthenticated):
            callers.lookup(key[:20])
        with pytest.raises(Unauthenticated):
            callers.lookup(key + "\ud800")
        assert callers.lookup(key) is not None

    run(keys, clock, use)
    assert len(keys.lookups) == 1


@pytest.mark.parametrize(
    ("tenant", "app", "route", "allowed"),
    [
        ("acme", None, "chat", True),
        ("acme", None, "team-b", True),
        ("acme", None, "other", False),
        ("acme", "any", "chat", True),
        ("acme", "any", "other", False),
        ("acme", "billing", "team-a", True),
        ("acme", "billing", "team-b", False),
        ("acme", "billing", "chat", False),
        ("all", None, "anything", True),
        ("none", None, "chat", False),
        ("gone", None, "chat", False),
        ("all", "gone", "chat", False),
    ],
)
def test_a_route_must_be_allowed_to_tenant_and_app(
    keys: Keys, clock: Clock, tenant: str, app: str | None, route: str, allowed: bool
) -> None:
    async def use(callers: Callers) -> None:
        assert callers.routes_allowed(Caller(tenant=tenant, app=app, key_id="x", role="app"), route) is allowed

    run(keys, clock, use)


def test_a_route_pattern_that_cannot_work_is_refused_at_start(keys: Keys) -> None:
    with pytest.raises(SettingsError, match=r"^tenants\.acme\.apps\.x\.routes: "):
        Callers(keys, {"acme": Tenant(apps={"x": App(routes=("a*b",))})})


def test_each_tenant_has_its_own_salt_and_always_the_same(keys: Keys) -> None:
    callers, again = Callers(keys, {}), Callers(keys, {})
    assert callers.salt("a") == callers.salt("a") == again.salt("a") != callers.salt("b")
    assert len(callers.salt("a")) == 32
