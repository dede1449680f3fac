"""An exchange on a page for people: plain text, 80 columns. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

import msgspec

from gateway.audit.entry import Abandoned, Begin, End, PromptUsed, Tried
from gateway.audit.search.archive import Record
from gateway.audit.search.filters import iso
from gateway.audit.search.plaintext import Part
from gateway.audit.search.prose import answer, body, printable, prompt
from gateway.exchange.exchange import Step

WIDTH: Final = 80
_LABEL: Final = 13
_STEPS: Final[tuple[str, ...]] = get_args(Step)


def page(record: Record, parts: Sequence[Part] | None = None) -> str:
    """Return all that is known of an exchange; `parts` is its payload, None where that was not opened."""
    lines = [f"Exchange {record.found.id}", ""]
    for label, text in _facts(record):
        lines += _field(label, text)
    if parts is not None:
        lines += ["", *_payload(parts)]
    return "\n".join(lines) + "\n"


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    found, begin = record.found, record.begin
    yield "When", f"{found.at} to {iso(record.end.at)}" if record.end is not None else found.at
    yield "Who", f"tenant {begin.tenant}, {f'app {begin.app}, ' if begin.app else ''}key {begin.key}, role {begin.role}"
    yield "Asked", _asked(begin)
    if begin.prompt:
        yield from _prompt(begin.prompt)
    if begin.parameters or begin.parameters_digest:
        yield "Parameters", _parameters(begin)
    yield "Result", _result(record)
    if isinstance(record.end, End):
        yield from _ended(record.end)
    yield "Payload", _kept(record)
    yield "Written by", f"{begin.software} on node {begin.node}, process {begin.boot}"
    for slot, stored in record.entries:
        fields = msgspec.json.decode(stored.data, type=dict[str, Any])
        yield "Entries" if stored is record.entries[0][1] else "", f"log {slot}, {stored.index}: {_entry(fields)}"
        yield "", stored.leaf.hex()


def _asked(begin: Begin) -> str:
    text = f"{begin.operation}, route {begin.route}" if begin.route else begin.operation
    if begin.upstream:
        text += f", by {begin.upstream} (model {begin.model})"
    if begin.max_tokens:
        text += f", at most {begin.max_tokens} tokens{', fewer than the caller asked for' if begin.shortened else ''}"
    return f"{text}, {'streamed' if begin.stream else 'in one piece'}"


def _prompt(used: PromptUsed) -> Iterator[tuple[str, str]]:
    text = f"{used.id}@{used.version}" + (f", as its label {used.label}" if used.label else "")
    text += f", contract {used.contract}"
    text += f", {used.neutralised} control tokens made harmless" if used.neutralised else ""
    yield "From prompt", text
    yield "", used.digest
    if used.trimmed:
        parts = [f"{each.items} items of {each.input} ({each.tokens} tokens)" for each in used.trimmed]
        yield "Left out", ", ".join(parts) + _more(parts, used.trimmed_total or len(parts))


def _parameters(begin: Begin) -> str:
    if begin.parameters:
        return ", ".join(f"{name} {value}" for name, value in begin.parameters.items())
    return f"too many for an entry; SHA-256 {begin.parameters_digest}"


def _result(record: Record) -> str:
    end = record.end
    if end is None:
        return "open: it has not ended yet"
    if isinstance(end, Abandoned):
        ran = "may have been asked" if end.dispatch == "assumed" else "was not asked"
        return f"abandoned ({end.reason}): the gateway did not live to see its end; the upstream {ran}"
    text = end.result + (f", status {end.status}" if end.status else "") + (f", {end.error}" if end.error else "")
    text += f" ({end.reason})" if end.reason else ""
    if end.finish_reasons_total:
        text += f", finish {', '.join(end.finish_reasons)}{_more(end.finish_reasons, end.finish_reasons_total)}"
    text += ", the client had gone" if end.client_gone else ""
    text += ", an answer that was kept for the caller's Idempotency-Key" if end.replayed else ""
    return f"{text}; {end.bytes} bytes were handed to the client before this was entered"


def _ended(end: End) -> Iterator[tuple[str, str]]:
    for number, tried in enumerate(end.attempts, 1):
        yield "Attempts" if number == 1 else "", f"{number}. {_tried(tried)}"
    if end.attempts_total > len(end.attempts):
        yield "", f"and {end.attempts_total - len(end.attempts)} more"
    if end.usage:
        usage = end.usage
        tokens = f"{usage.input_tokens} tokens in (cached {usage.cached_tokens})"
        yield "Usage", f"{tokens}, {usage.output_tokens} out (reasoning {usage.reasoning_tokens}), {usage.source}"
    if end.timings:
        steps = sorted(end.timings, key=lambda step: _STEPS.index(step) if step in _STEPS else len(_STEPS))
        yield "Timings", ", ".join(f"{step} {end.timings[step]} µs" for step in steps)


def _tried(tried: Tried) -> str:
    text = f"{tried.upstream} (model {tried.model}), {tried.us} µs"
    text += f", status {tried.status}" if tried.status else ""
    text += f", {tried.error}" if tried.error else ""
    text += f" ({tried.reason})" if tried.reason else ""
    return text + (f", its id {tried.response_id}" if tried.response_id else "")


def _kept(record: Record) -> str:
    end = record.end
    if not isinstance(end, End) or end.payload == "none":
        return "none was kept"
    kept = end.payload
    return f"{kept.bytes} bytes, sealed, in the file of {kept.day}; SHA-256 {kept.digest}; under key {kept.key} of the tenant"


def _entry(fields: dict[str, Any]) -> str:
    if fields["kind"] == "access":
        return f"access at {iso(fields['at'])} by {fields['by']}, role {fields['role']}: {fields['reason']}"
    return f"{fields['kind']} at {iso(fields['at'])}"


def _payload(parts: Sequence[Part]) -> Iterator[str]:
    named = {part.name: part for part in parts}
    if "received" in named:
        yield from _talk("Prompt", prompt(named["received"].data), named["received"])
    shown = named.get("delivered") or named.get("answer")
    if shown is not None:
        yield from _talk("Answer", answer(shown.data), shown)
    if "meta" in named:
        yield from _talk("Meta", [], named["meta"])
    yield "Parts (their exact bytes: --json)"
    for part in parts:
        said = {
            "opens": "is what the log commits to",
            "differs": "IS NOT WHAT THE LOG COMMITS TO",
            "none": "the log does not commit to it",
        }
        yield f"  {part.name}: {len(part.data)} bytes, {said[part.commitment]}"


def _talk(title: str, messages: Sequence[tuple[str, str]], part: Part) -> Iterator[str]:
    yield title
    for role, text in messages or [("", body(part.data))]:
        if role:
            yield f"  [{role}]"
        for line in text.split("\n"):
            yield from textwrap.wrap(
                line, WIDTH, initial_indent="  ", subsequent_indent="  ", replace_whitespace=False, drop_whitespace=False
            ) or [""]
    yield ""


def _field(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=label.ljust(_LABEL), subsequent_indent=" " * _LABEL, break_on_hyphens=False
    )


def _more(shown: Sequence[object], total: int) -> str:
    return f" and {total - len(shown)} more" if total > len(shown) else ""
