"""The bodies of an answer, whole or in chunks, as vLLM 0.33 sends them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from gateway.upstream.fake.ledger import Served
from gateway.upstream.fake.request import ChatRequest
from gateway.upstream.fake.speech import Speech
from gateway.wire.answer import Body

FINGERPRINT = "fake-1"


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that is ready to be written; tokens are entered in `served` as the bodies are made."""

    request: ChatRequest
    speeches: tuple[Speech, ...]
    served: Served
    prompt: int
    created: int
    cached: int = 0

    def whole(self) -> Body:
        """Return the body of an answer that is not streamed."""
        self._begin()
        for speech in self.speeches:
            self.served.made(speech.made)
        return {
            "id": self.served.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.request.model,
            "choices": [self._choice(index, speech) for index, speech in enumerate(self.speeches)],
            "service_tier": None,
            "system_fingerprint": FINGERPRINT,
            "usage": self._usage(sum(speech.made for speech in self.speeches)),
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "prompt_text": None,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }

    def chunks(self) -> Iterator[Body]:
        """Yield the chunks of a stream: roles first, then the choices in turn, at the end the usage where it was asked for."""
        self._begin()
        options = self.request.stream_options
        running = bool(options and options.continuous_usage_stats)
        made = [0] * len(self.speeches)
        for index in range(len(self.speeches)):
            role = self._chunk(index, {"role": "assistant", "content": ""}, {}, usage=0 if running else None)
            yield {**role, "prompt_token_ids": None, "prompt_text": None}
        for turn in zip_longest(*(self._deltas(speech) for speech in self.speeches)):
            for index, said in enumerate(turn):
                if said is not None:
                    delta, tokens, extra = said
                    self.served.made(tokens)
                    made[index] += tokens
                    chunk = self._chunk(index, delta, extra, usage=made[index] if running else None)
                    yield {**chunk, "kv_transfer_params": None}
        if options and options.include_usage:
            usage = {name: value for name, value in self._usage(sum(made)).items() if value is not None}
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": usage, "system_fingerprint": FINGERPRINT}

    def _begin(self) -> None:
        self.served.began(self.prompt, self.speeches[0].finish)

    def _head(self, kind: str) -> Body:
        return {"id": self.served.id, "object": kind, "created": self.created, "model": self.request.model}

    def _choice(self, index: int, speech: Speech) -> Body:
        message: Body = {
            "role": "assistant",
            "content": None if speech.calls or speech.refusal else "".join(speech.content),
            "refusal": "".join(speech.refusal) or None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "reasoning": "".join(speech.reasoning) or None,
        }
        if speech.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.pieces)}}
                for call in speech.calls
            ]
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(speech.content),
            "finish_reason": speech.finish,
            "stop_reason": speech.stop_reason,
            "token_ids": None,
            "routed_experts": None,
            "weight_versions": None,
        }

    def _chunk(self, index: int, delta: Body, extra: Body, *, usage: int | None) -> Body:
        content = delta.get("content")
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": self._logprobs((content,)) if content else None,
            "finish_reason": None,
            **extra,
        }
        body: Body = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if usage is not None:
            body["usage"] = self._usage(usage)
        return body

    @staticmethod
    def _deltas(speech: Speech) -> Iterator[tuple[Body, int, Body]]:
        """Yield delta, tokens and further fields of each chunk; as in vLLM the last content comes with the finish_reason."""
        more: Body = {"token_ids": None}
        end: Body = {
            "finish_reason": speech.finish,
            "stop_reason": speech.stop_reason,
            "token_ids": None,
            "weight_versions": None,
        }
        for piece in speech.reasoning:
            yield {"reasoning": piece}, 1, more
        for piece in speech.refusal:
            yield {"refusal": piece}, 1, more
        for number, call in enumerate(speech.calls):
            name = {"id": call.id, "type": "function", "index": number, "function": {"name": call.name}}
            yield {"content": None, "tool_calls": [name]}, 0, more
            for piece in call.pieces:
                yield {"content": None, "tool_calls": [{"index": number, "function": {"arguments": piece}}]}, 1, more
        for piece in speech.content[:-1]:
            yield {"content": piece}, 1, more
        if speech.content:
            yield {"content": speech.content[-1]}, 1, end
        else:
            yield {}, 0, end

    def _usage(self, completion: int) -> Body:
        reasoning = sum(len(speech.reasoning) for speech in self.speeches)
        return {
            "prompt_tokens": self.prompt,
            "total_tokens": self.prompt + completion,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": min(self.cached, self.prompt)} if self.cached else None,
            "completion_tokens_details": {"reasoning_tokens": min(reasoning, completion)} if reasoning else None,
        }

    def _logprobs(self, pieces: tuple[str, ...]) -> Body | None:
        if not self.request.logprobs:
            return None
        count = self.request.top_logprobs or 0
        return {"content": [_logprob(piece, count) for piece in pieces]}


def _logprob(piece: str, count: int) -> dict[str, Any]:
    alternatives = [piece, *(f"{piece}{number}" for number in range(1, count))][:count]
    tops = [_token(token, -0.25 - rank) for rank, token in enumerate(alternatives)]
    return {**_token(piece, -0.25), "top_logprobs": tops}


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
