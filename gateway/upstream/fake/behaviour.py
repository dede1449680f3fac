"""What the fake answers to a request: the paths it knows, the checks it makes, the fault it was asked for."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from gateway.http.contract import HttpRequest
from gateway.upstream.fake import directive as directives
from gateway.upstream.fake import metrics
from gateway.upstream.fake.answer import Answer, Wait, error_answer, json_answer, whole
from gateway.upstream.fake.completion import Completion
from gateway.upstream.fake.directive import Directive, DirectiveError
from gateway.upstream.fake.draft import Draft
from gateway.upstream.fake.faults import FAULTS
from gateway.upstream.fake.ledger import Ledger, Served
from gateway.upstream.fake.refusals import REDIRECTED
from gateway.upstream.fake.request import ChatRequest, Refused, bad_request, max_tokens, prompt_tokens, read
from gateway.upstream.fake.speech import Speaker

CHAT = "/chat/completions"

REMEMBERED = 1_000
"""How many different lines with `times` are remembered."""


@dataclass(frozen=True, slots=True)
class Character:
    """How a fake is: the key it wants (none if empty), the models it knows (any if empty), its context window in tokens.

    `directive` is followed by requests that carry none of their own.
    """

    api_key: str = ""
    models: tuple[str, ...] = ()
    context_window: int = 131_072
    directive: str = ""


class Behaviour:
    """Answers requests; the same requests in the same order get the same answers, but for `created`, which `clock` tells."""

    def __init__(self, character: Character | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.ledger = Ledger()
        self._character = character or Character()
        self._clock = clock
        self._numbered = 0
        self._met: OrderedDict[str, int] = OrderedDict()

    def answer(self, request: HttpRequest) -> tuple[Answer, Served | None]:
        """Return the answer and, for completions, its record, which whoever performs the answer must end."""
        path = request.path.partition("?")[0].removeprefix("/v1")
        if path in {CHAT, REDIRECTED}:
            return self._chat(request, path) if request.method == "POST" else (_not_allowed(), None)
        if path == "/health":
            return whole(b"", "text/plain"), None
        if path == "/metrics":
            return whole(metrics.exposition(self.ledger), "text/plain; version=0.0.4"), None
        if not self._admits(request):
            return json_answer({"error": "Unauthorized"}, status=401), None
        if path == "/models":
            return self._models(), None
        return json_answer({"detail": "Not Found"}, status=404), None

    def _chat(self, request: HttpRequest, path: str) -> tuple[Answer, Served]:
        served = self.ledger.open(self._new_id(request), path, headers=request.headers, body=request.body)
        try:
            answer = self._completed(request, served) if self._admits(request) else _unauthorized()
        except Refused as refused:
            answer = refused.answer
        served.status = answer.status
        return answer, served

    def _completed(self, request: HttpRequest, served: Served) -> Answer:
        asked = read(request.body)
        served.model = asked.model
        served.stream = bool(asked.stream)
        if self._character.models and asked.model not in self._character.models:
            aliases = ", ".join(self._character.models)
            message = f"The model `{asked.model}` does not exist. Valid aliases: {aliases}."
            raise Refused(error_answer(404, message, kind="NotFoundError", param="model"))
        directive, message = self._directed(asked)
        prompt = prompt_tokens(asked)
        limit = max_tokens(asked, prompt=prompt, window=self._character.context_window)
        completion = Completion(
            asked,
            Speaker(asked, directive, message, limit=limit).choices(),
            served,
            prompt=prompt,
            created=int(self._clock()),
            cached=directive.cached,
        )
        draft = Draft(completion, directive, stream=served.stream)
        served.fault = directive.fault if served.path == CHAT else ""
        answer = FAULTS[served.fault](draft) if served.fault else draft.answer()
        return replace(answer, before=(Wait(directive.delay), *answer.before)) if directive.delay else answer

    def _directed(self, asked: ChatRequest) -> tuple[Directive, str]:
        line, message = directives.split(asked.last_user)
        line = line or self._character.directive
        try:
            directive = directives.parse(line)
        except DirectiveError as error:
            raise bad_request(str(error), "messages") from error
        if directive.fault and directive.fault not in FAULTS:
            raise bad_request("#fake: there is no such fault", "messages")
        if directive.only and directive.only != asked.model:
            return Directive(), message
        if directive.times is not None and self._meets(line) > directive.times:
            return msgspec.structs.replace(directive, fault=""), message
        return directive, message

    def _meets(self, line: str) -> int:
        count = self._met.pop(line, 0) + 1
        self._met[line] = count
        if len(self._met) > REMEMBERED:
            self._met.popitem(last=False)
        return count

    def _new_id(self, request: HttpRequest) -> str:
        given = request.headers.get("x-request-id")
        if given is None:
            self._numbered += 1
            given = f"fake-{self._numbered:08}"
        return f"chatcmpl-{given}"

    def _admits(self, request: HttpRequest) -> bool:
        wanted = self._character.api_key
        given = request.headers.get("authorization", "")
        return not wanted or hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())

    def _models(self) -> Answer:
        created = int(self._clock())
        window = self._character.context_window
        models = [
            {"id": name, "object": "model", "created": created, "owned_by": "fake", "parent": None, "max_model_len": window}
            for name in self._character.models or ("fake",)
        ]
        return json_answer({"object": "list", "data": models})


def _not_allowed() -> Answer:
    return json_answer({"detail": "Method Not Allowed"}, status=405, headers={"allow": "POST"})


def _unauthorized() -> Answer:
    return json_answer({"error": "Unauthorized"}, status=401)
