"""GET /v1/models: what the caller may use."""

from __future__ import annotations

from pathlib import Path

from openai.types import Model

from tests.asgi import Client
from tests.gatehouse import Gatehouse


def test_a_caller_sees_its_own_models_in_openai_s_form(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)
    narrow = gatehouse.key("narrow")

    async def test(client: Client) -> None:
        reply = await client.get("/v1/models")
        assert reply.json()["object"] == "list"
        assert [Model.model_validate(model, strict=True).id for model in reply.json()["data"]] == ["chat", "team/other"]
        client.key = narrow
        assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == ["team/other"]
        assert (await client.get("/v1/models/team/other")).json()["id"] == "team/other"
        # One that it may not use is as unknown as one that is not there.
        for name in ("chat", "nothing", "team", ""):
            assert (await client.get(f"/v1/models/{name}")).error()[:2] in {(404, "model_not_found"), (404, "not_found")}

    gatehouse.run(test)


def test_without_a_key_nothing_is_listed(tmp_path: Path) -> None:
    gatehouse = Gatehouse(tmp_path)

    async def test(client: Client) -> None:
        client.key = ""
        for path in ("/v1/models", "/v1/models/chat"):
            assert (await client.get(path)).error() == (401, "invalid_api_key", None)

    gatehouse.run(test)
