"""/v1/prompts: prompts for those who write, run and audit them.

    role               lists     reads text   contract   renders   promotes   rolls back   publishes   history
    app                its own   -            its own    -         -          -            -           -
    prompt-engineer    all       yes          yes        yes       yes        yes          yes         yes
    operator           all       yes          yes        yes       -          yes          -           yes
    auditor            all       -            -          -         -          -            -           yes

What an app sees is in `gateway.api.visible`. Changes are POST with a JSON body, so that no other site's form can make one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import UNSET, Raw, UnsetType

from gateway.api.access import Access
from gateway.api.bodies import described, read_body
from gateway.api.releases import Releases
from gateway.api.visible import VisiblePrompts
from gateway.errors import Forbidden, InvalidRequest, NotFound
from gateway.exchange.caller import Caller, Role
from gateway.prompt.calling import Window, route_of
from gateway.prompt.file.names import is_id
from gateway.prompt.label.labels import Sticky
from gateway.prompt.label.releasing import Promotion, check_label
from gateway.prompt.library.publish import Published
from gateway.prompt.preview import Preview, preview
from gateway.prompt.prompts import Chosen
from gateway.prompt.reference import PREFIX, PRODUCTION, Reference, unknown
from gateway.prompt.shown import MoveShown, PromptShown, VersionText, move_shown, version_text
from gateway.wire.chat import ChatRequest, read_chat_request
from gateway.wire.message import WireStruct

ENGINEER: Final[Role] = "prompt-engineer"
READS: Final[frozenset[Role]] = frozenset({ENGINEER, "operator"})
LISTS: Final[frozenset[Role]] = READS | {"app", "auditor"}
AUDITS: Final[frozenset[Role]] = READS | {"auditor"}
USES: Final[frozenset[Role]] = READS | {"app"}
PROMOTES: Final[frozenset[Role]] = frozenset({ENGINEER})
ROLLS_BACK: Final[frozenset[Role]] = READS


class PromoteBody(WireStruct, frozen=True):
    """`expected` is the version that the label must stand for, null where it must not be there yet."""

    version: str
    why: str
    percent: int | UnsetType | None = UNSET
    sticky: Sticky = "caller"
    report: str | UnsetType | None = UNSET
    expected: str | UnsetType | None = UNSET


class RollbackBody(WireStruct, frozen=True):
    """`to` is a version that the label stood for before, the nearest where it is left out; `expected` as for a promotion."""

    why: str
    to: str | UnsetType | None = UNSET
    expected: str | UnsetType | None = UNSET


class RenderBody(WireStruct, frozen=True):
    """What a call would send: `model` only where the prompt leaves its route to the caller."""

    version: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    variables: Raw | UnsetType = UNSET
    messages: Raw | UnsetType = UNSET


class PublishBody(WireStruct, frozen=True):
    """Nothing: what is published is the draft as it lies in its folder."""


@dataclass(frozen=True, slots=True)
class PromptList:
    """Prompts by their names."""

    data: list[PromptShown]
    object: Literal["list"] = "list"


@dataclass(frozen=True, slots=True)
class MoveList:
    """Moves, the latest first."""

    data: list[MoveShown]
    object: Literal["list"] = "list"


def prompts_router(access: Access, visible: VisiblePrompts, *, releases: Releases, windows: Mapping[str, Window]) -> APIRouter:
    """Return the endpoints; `windows` are those of all routes. Another role than those above is 403."""
    router = APIRouter(tags=["prompts"], prefix="/v1/prompts")
    _add_reading(router, access, visible)
    _add_rendering(router, access, visible, windows=windows)
    _add_history(router, access, visible, releases=releases)
    _add_releasing(router, access, releases)
    return router


def _add_reading(router: APIRouter, access: Access, visible: VisiblePrompts) -> None:
    @router.get("")
    async def list_prompts(request: Request) -> PromptList:
        """List prompts with their labels and versions; an app gets its own, by label."""
        return PromptList(visible.all(await _caller(access, request, LISTS)))

    @router.get("/{namespace}/{name}")
    async def show(
        namespace: str, name: str, request: Request, *, version: str | None = None, label: str | None = None
    ) -> VersionText | PromptShown:
        """Return a prompt, or with `version` or `label` that version with its text and the schema of its variables."""
        prompt = _id(namespace, name)
        if version is None and label is None:
            return visible.one(prompt, await _caller(access, request, LISTS))
        caller = await _caller(access, request, READS)
        return version_text(visible.text(_reference(prompt, version, label), caller))

    @router.get("/{namespace}/{name}/contract")
    async def contract(
        namespace: str, name: str, request: Request, *, version: str | None = None, label: str | None = None
    ) -> JSONResponse:
        """Return the JSON Schema of the variables, with the contract's number under `x-contract`."""
        caller = await _caller(access, request, USES)
        found = visible.used(_reference(_id(namespace, name), version, label), caller)
        headers = {"x-gatehouse-prompt": found.reference}
        return JSONResponse(found.contract.schema, headers=headers, media_type="application/schema+json")


def _add_rendering(router: APIRouter, access: Access, visible: VisiblePrompts, *, windows: Mapping[str, Window]) -> None:
    @router.post("/{namespace}/{name}/render", openapi_extra=described(RenderBody))
    async def render(namespace: str, name: str, request: Request) -> Preview:
        """Return the messages that a call would send, with their tokens; no model is asked and nothing is charged."""
        caller = await _caller(access, request, READS)
        body = await read_body(request, RenderBody)
        prompt = _id(namespace, name)
        version, label = (None if value is UNSET else value for value in (body.version, body.label))
        chosen = Chosen(visible.text(_reference(prompt, version, label), caller), label or "")
        call = _call(chosen, body)
        window = windows.get(route_of(chosen, call))
        if window is None:
            raise NotFound("There is no such model here.", code="model_not_found", param="model")
        return await preview(chosen, call, window=window)


def _add_history(router: APIRouter, access: Access, visible: VisiblePrompts, *, releases: Releases) -> None:
    @router.get("/{namespace}/{name}/history")
    async def history(namespace: str, name: str, request: Request, *, label: str | None = None) -> MoveList:
        """Return every move of the labels, or of one of them, the latest first."""
        caller = await _caller(access, request, AUDITS)
        prompt = _id(namespace, name)
        if label is not None:
            check_label(label)
        moves = await releases.history(prompt, label)
        if not moves:
            visible.one(prompt, caller)  # one that is not there is unknown, one without moves is not
        return MoveList([move_shown(move) for move in reversed(moves)])


def _add_releasing(router: APIRouter, access: Access, releases: Releases) -> None:
    @router.post("/{namespace}/{name}/labels/{label}", openapi_extra=described(PromoteBody))
    async def promote(namespace: str, name: str, label: str, *, request: Request) -> MoveShown:
        """Let a label stand for a version, or with `percent` for some callers, as a canary."""
        caller = await _caller(access, request, PROMOTES)
        body = await read_body(request, PromoteBody)
        wanted = Promotion(
            prompt=_id(namespace, name),
            label=label,
            version=body.version,
            by=caller.key_id,
            why=body.why,
            percent=None if body.percent is UNSET else body.percent,
            sticky=body.sticky,
            report=None if body.report is UNSET else body.report,
        )
        return move_shown(await releases.promote(wanted, expected=body.expected))

    @router.post("/{namespace}/{name}/labels/{label}/rollback", openapi_extra=described(RollbackBody))
    async def rollback(namespace: str, name: str, label: str, *, request: Request) -> MoveShown:
        """Move a label back to a version that it stood for before; a canary ends with it."""
        caller = await _caller(access, request, ROLLS_BACK)
        body = await read_body(request, RollbackBody)
        to = None if body.to is UNSET else body.to
        moved = await releases.rollback(
            _id(namespace, name), label, to=to, by=caller.key_id, why=body.why, expected=body.expected
        )
        return move_shown(moved)

    @router.post("/{namespace}/{name}/publish", openapi_extra=described(PublishBody))
    async def publish(namespace: str, name: str, request: Request) -> Published:
        """Make the draft the next version, for good; only where `prompts.writable` allows it."""
        await _caller(access, request, PROMOTES)
        await read_body(request, PublishBody)
        return await releases.publish(_id(namespace, name))


async def _caller(access: Access, request: Request, roles: Collection[Role]) -> Caller:
    caller = await access.caller(request)
    if caller.role not in roles:
        raise Forbidden("This key's role may not do that.", code="role_not_allowed")
    return caller


def _id(namespace: str, name: str) -> str:
    prompt = f"{namespace}/{name}"
    if not is_id(prompt):
        raise unknown("id", "malformed id")
    return prompt


def _reference(prompt: str, version: str | None, label: str | None) -> Reference:
    if version is not None and label is not None:
        raise InvalidRequest("A version and a label exclude each other: leave one of them out.", param="label")
    if version is not None:
        return Reference(prompt, None, version, "version")
    return Reference(prompt, label or PRODUCTION, None, "label")


def _call(chosen: Chosen, body: RenderBody) -> ChatRequest:
    """Return the request that a caller would send; raises `InvalidRequest`."""
    version = chosen.version
    called: dict[str, Any] = {} if body.variables is UNSET else {"variables": body.variables}
    fields: dict[str, Any] = {"model": f"{PREFIX}{version.reference}", "prompt": called}
    if body.model is not UNSET:
        fields = {"model": body.model, "prompt": {"id": version.id, "version": version.name, **called}}
    if body.messages is not UNSET:
        fields["messages"] = body.messages
    return read_chat_request(msgspec.json.encode(fields))
