"""GET /v1/models and /v1/models/{id}: what the caller may use, in OpenAI's form."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from gateway.api.access import Access
from gateway.caller.callers import Callers
from gateway.errors import NotFound
from gateway.exchange.caller import Caller
from gateway.route.table import Routes


class Model(BaseModel):
    """One public model name; `created` is when this gateway's configuration was loaded, in Unix seconds."""

    id: str
    object: str = "model"
    created: int
    owned_by: str = "gatehouse"


class ModelList(BaseModel):
    """All that the caller may use."""

    object: str = "list"
    data: list[Model]


def models_router(access: Access, callers: Callers, *, routes: Routes, created: int) -> APIRouter:
    """Return the endpoints; a model that the caller may not use is as unknown as one that does not exist."""
    router = APIRouter(tags=["models"])

    def usable(caller: Caller) -> list[str]:
        return [name for name in routes.names() if callers.routes_allowed(caller, name)]

    @router.get("/v1/models")
    async def list_models(request: Request) -> ModelList:
        """List the models that the caller may use."""
        return ModelList(data=[Model(id=name, created=created) for name in usable(await access.caller(request))])

    @router.get("/v1/models/{model:path}")
    async def get_model(model: str, request: Request) -> Model:
        """Return one model; its name may hold slashes."""
        if model not in usable(await access.caller(request)):
            raise NotFound("There is no such model here.", code="model_not_found", param="model")
        return Model(id=model, created=created)

    return router
