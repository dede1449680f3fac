"""/v1/audit: auditors see their own tenant, operators see entries, everybody else sees nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI

from gateway.api.access import Access
from gateway.api.audit import MOST_WAITING, PATIENCE, Reads, audit_router
from gateway.api.rest import rest_app
from gateway.audit.log import AuditLog
from gateway.audit.reader import ReadError
from gateway.audit.search.archive import Archive, Behind
from gateway.audit.search.filters import Filters
from gateway.audit.search.rights import View
from gateway.audit.vault.keyring import open_keyring
from gateway.audit.vault.payloads import Payloads
from gateway.audit.vault.reader import PayloadReader
from gateway.audit.vault.vault import Vault
from gateway.caller.callers import Callers
from gateway.caller.keys import open_keys
from gateway.errors import Unavailable
from gateway.exchange.caller import Role
from gateway.settings.tree import Store, Tenant
from tests.asgi import Client, Reply
from tests.audit.recorded import Said, enter, open_log
from tests.audit.vault.kit import Store as Keys

ROLES: tuple[Role, ...] = get_args(Role)
SAID = [
    Said(),
    Said("beta", app="billing", prompt="support/triage@v7"),
    Said(result="failed", payloads="none"),
    Said("beta", route="embed"),
]
OPERATOR = View(None, "", "operator")


class House:
    """The endpoints over a store whose log is being written."""

    def __init__(self, folder: Path) -> None:
        self.store = folder
        self.ids: list[str] = []
        self.log: AuditLog | None = None
        self._keys = open_keys(Store(path=folder))

    def key(self, tenant: str, role: Role) -> str:
        return self._keys.create(tenant, role=role)[0]

    def run(self, test: Callable[[Client], Awaitable[None]]) -> None:
        """Record what was said, then run a test."""
        keyring = open_keyring(self.store)
        callers = Callers(self._keys, {"acme": Tenant(), "beta": Tenant()})
        reads = Reads()
        with closing(self._keys), closing(callers), closing(reads), closing(Payloads(self.store, "0")) as payloads:
            log = self.log = open_log(self.store, payloads)

            async def main() -> None:
                vault = Vault(keyring)
                self.ids = [await enter(log, vault, said) for said in SAID]
                router = audit_router(
                    Access(callers), Archive(self.store), log=log, payloads=PayloadReader(self.store, keyring), reads=reads
                )
                app = rest_app([router], version="0", lifespan=_lifespan)
                try:
                    async with asyncio.timeout(30):
                        await test(Client(app))
                finally:
                    await log.close()

            asyncio.run(main())

    async def accesses(self) -> list[tuple[str, str, str]]:
        """Return who read what and why, as the log tells it."""
        return await asyncio.to_thread(self.entered)

    def entered(self) -> list[tuple[str, str, str]]:
        """Return the same, where no event loop runs."""
        data = Archive(self.store).search(Filters("access"), OPERATOR).data
        return [
            (fields["id"], fields["by"], fields["reason"]) for fields in (each.fields for each in data if hasattr(each, "fields"))
        ]


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def ids(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    return [each["id"] for each in reply.json()["data"]]


def test_an_auditor_finds_its_tenant_s_exchanges_latest_first(house: House) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        reply = await client.get("/v1/audit")
        assert ids(reply) == [house.ids[2], house.ids[0]]
        assert (reply.json()["next"], reply.json()["damaged"]) == (None, 0)
        assert reply.json()["data"][1] | {"at": "", "microseconds": 0} == {
            "id": house.ids[0], "at": "", "log": "0", "begin": 2, "end": 3, "tenant": "acme", "app": None, "key": "abcdefghij23",
            "role": "app", "operation": "chat", "route": "chat", "prompt": None, "label": None, "upstream": "vllm-a",
            "stream": False, "outcome": "complete", "status": 200, "error": None,
            "input_tokens": 11, "output_tokens": 22, "microseconds": 0, "payload": True,
        }  # fmt: skip

    house.run(test)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tenant=beta", [3, 1]),
        ("tenant=beta&app=billing", [1]),
        ("route=embed", [3]),
        ("outcome=failed", [2]),
        ("prompt=support/triage", [1]),
        ("prompt=support/triage@v7&tenant=beta", [1]),
        ("prompt=support/triage@v8", []),
        ("prompt=support/triage&tenant=acme", []),
        ("since=1h", [3, 2, 1, 0]),
        ("until=1h", []),
        ("since=2020-01-01T00:00:00Z&until=2100-01-01&limit=2", [3, 2]),
    ],
)
def test_an_operator_finds_all_tenants_exchanges_by_filters(house: House, query: str, expected: list[int]) -> None:
    key = house.key("acme", "operator")

    async def test(client: Client) -> None:
        client.key = key
        assert ids(await client.get(f"/v1/audit?{query}")) == [house.ids[number] for number in expected]

    house.run(test)


def test_pages_put_together_are_the_whole(house: House) -> None:
    key = house.key("acme", "operator")

    async def test(client: Client) -> None:
        client.key = key
        first = await client.get("/v1/audit?limit=3")
        second = await client.get(f"/v1/audit?limit=3&after={first.json()['next']}")
        assert ids(first) + ids(second) == house.ids[::-1]
        assert second.json()["next"] is None

    house.run(test)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("since=yesterday", "since"),
        ("until=7w", "until"),
        ("after=nothing", "after"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("outcome=good", "outcome"),
        ("kind=attempt", "kind"),
        ("prompt=triage", "prompt"),
        ("prompt=support/triage@production", "prompt"),
        ("tennant=acme", "tennant"),
        ("text=secret", "text"),
        ("verdict=block", "verdict"),
    ],
)
def test_a_wrong_or_unknown_filter_is_an_error_never_ignored(house: House, query: str, param: str) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        assert (await client.get(f"/v1/audit?{query}")).error() == (400, "invalid_field", param)

    house.run(test)


def test_an_exchange_is_shown_with_its_entries(house: House) -> None:
    key = house.key("beta", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        shown = (await client.get(f"/v1/audit/{house.ids[1]}")).json()
        assert shown["exchange"]["app"] == "billing"
        assert [(entry["log"], entry["index"], entry["fields"]["kind"]) for entry in shown["entries"]] == [
            ("0", 4, "begin"),
            ("0", 5, "end"),
        ]

    house.run(test)


def test_plaintext_is_returned_once_its_access_is_entered(house: House) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        reply = await client.get(f"/v1/audit/{house.ids[0]}/payload?reason=ticket%204711")
        assert reply.headers["cache-control"] == "no-store"
        assert {part["name"]: part["text"].encode() for part in reply.json()["parts"]} == Said().parts
        assert {part["commitment"] for part in reply.json()["parts"]} == {"opens", "none"}
        assert await house.accesses() == [(house.ids[0], key[4:16], "ticket 4711")]
        shown = (await client.get(f"/v1/audit/{house.ids[0]}")).json()
        assert [entry["fields"]["kind"] for entry in shown["entries"]] == ["begin", "end", "access"]
        (note,) = (await client.get("/v1/audit?kind=access")).json()["data"]
        assert note["fields"]["reason"] == "ticket 4711"

    house.run(test)


@pytest.mark.parametrize("query", ["", "?reason=", "?reason=%20", "?reason=" + "x" * 1025])
def test_plaintext_needs_a_reason(house: House, query: str) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        assert (await client.get(f"/v1/audit/{house.ids[0]}/payload{query}")).error() == (400, "invalid_field", "reason")
        assert await house.accesses() == []

    house.run(test)


def test_a_payload_that_was_not_kept_or_is_gone_is_not_found(house: House) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        assert (await client.get(f"/v1/audit/{house.ids[2]}/payload?reason=why")).error() == (404, "not_found", None)
        assert await house.accesses() == []
        await asyncio.to_thread(lambda: Keys(house.store).change("DELETE FROM record_keys WHERE tenant = 'acme'"))
        assert (await client.get(f"/v1/audit/{house.ids[0]}/payload?reason=why")).error() == (404, "not_found", None)
        assert len(await house.accesses()) == 1

    house.run(test)


def test_where_the_access_cannot_be_entered_nothing_is_opened(house: House) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        assert house.log is not None
        await house.log.close()
        reply = await client.get(f"/v1/audit/{house.ids[0]}/payload?reason=why")
        assert reply.error() == (503, "audit_unavailable", None)
        assert reply.headers["retry-after"]

    house.run(test)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("tenant", ["acme", "beta"])
def test_roles_and_tenants(house: House, role: Role, tenant: str) -> None:
    key = house.key(tenant, role)
    other = "beta" if tenant == "acme" else "acme"
    own = [0, 2] if tenant == "acme" else [1, 3]

    async def test(client: Client) -> None:
        client.key = key
        found, asked = await client.get("/v1/audit"), await client.get(f"/v1/audit?tenant={other}")
        shown = [await client.get(f"/v1/audit/{exchange}") for exchange in house.ids]
        opened = [await client.get(f"/v1/audit/{exchange}/payload?reason=why") for exchange in house.ids]
        notes = [await client.get(f"/v1/audit?kind={kind}") for kind in ("access", "genesis", "config", "caller")]
        if role == "auditor":
            assert {each["tenant"] for each in found.json()["data"]} == {tenant}
            assert asked.json()["data"] == []
            assert [number for number, reply in enumerate(shown) if reply.status == 200] == own
            kept = [number for number in own if SAID[number].payloads == "full"]
            assert [number for number, reply in enumerate(opened) if reply.status == 200] == kept
            refused = [reply for number, reply in enumerate([*shown, *opened]) if number % 4 not in own]
            assert {reply.error()[:2] for reply in refused} == {(404, "not_found")}
            told = [each for reply in notes for each in reply.json()["data"]]
            assert {each["fields"].get("tenant") for each in told} == {tenant}
        elif role == "operator":
            assert {each["tenant"] for each in found.json()["data"]} == {"acme", "beta"}
            assert {each["tenant"] for each in asked.json()["data"]} == {other}
            assert [reply.status for reply in shown] == [200] * 4
            assert {reply.error() for reply in opened} == {(403, "role_not_allowed", None)}
            assert [len(reply.json()["data"]) for reply in notes] == [0, 1, 1, 0]
        else:
            assert {reply.error() for reply in (found, asked, *shown, *opened, *notes)} == {(403, "role_not_allowed", None)}
        bodies = b"".join(reply.body for reply in (found, asked, *shown, *opened, *notes))
        if role != "operator":
            assert not any(house.ids[number].encode() in bodies for number in range(4) if number not in own)

    house.run(test)
    assert len(house.entered()) == (0 if role != "auditor" else 1 if tenant == "acme" else 2)


def test_without_a_key_nothing_is_told(house: House) -> None:
    async def test(client: Client) -> None:
        for path in ("/v1/audit", f"/v1/audit/{house.ids[0]}", f"/v1/audit/{house.ids[0]}/payload?reason=why"):
            assert (await client.get(path)).error() == (401, "invalid_api_key", None)

    house.run(test)


def test_an_id_that_is_not_there_is_not_found(house: House) -> None:
    key = house.key("acme", "auditor")

    async def test(client: Client) -> None:
        client.key = key
        for exchange in ("nothing", "%00", "0199c0de-0000-7000-8000-000000000001", "a'--"):
            assert (await client.get(f"/v1/audit/{exchange}")).error() == (404, "not_found", "id")

    house.run(test)


def test_the_document_describes_the_endpoints(house: House) -> None:
    async def test(client: Client) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/v1/audit", "/v1/audit/{exchange_id}", "/v1/audit/{exchange_id}/payload"} <= set(paths)
        content = paths["/v1/audit"]["get"]["responses"]["200"]["content"]["application/json"]
        assert content["schema"]

    house.run(test)


def test_reads_that_cannot_be_done_now_are_answered_with_when_to_try_again() -> None:
    def behind() -> None:
        raise Behind

    def unreadable() -> None:
        raise ReadError("a path that no client sees")

    async def main() -> None:
        for work, words in ((behind, "being built"), (unreadable, "cannot be read")):
            with pytest.raises(Unavailable, match=words) as caught:
                await reads.run(work)
            assert (caught.value.code, caught.value.retry_after) == ("audit_unavailable", 1.0)
            assert "path" not in caught.value.message

    with closing(Reads()) as reads:
        asyncio.run(main())
    assert PATIENCE > 0


def test_too_many_reads_at_a_time_are_refused() -> None:
    free = threading.Event()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(reads.run(free.wait)) for _ in range(MOST_WAITING)]
            await asyncio.sleep(0)
            with pytest.raises(Unavailable) as caught:
                await reads.run(lambda: None)
            assert caught.value.code == "overloaded"
            free.set()
        assert all(task.result() for task in waiting)
        await reads.run(lambda: None)

    with closing(Reads()) as reads:
        asyncio.run(main())
