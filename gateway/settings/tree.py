"""The settings that exist, with their units and defaults; `deploy/gateway.example.toml` shows every one.

A duration is in seconds here and a string with its unit in the file; a size is in bytes; money is a decimal string in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.settings.values import BaseUrl, DatabaseUrl, Duration, Money, Name, RedisUrl, SecretReference

Payloads = Literal["full", "none"]
"""What is stored, encrypted, of requests and answers: all of it, or nothing."""

ControlTokens = Literal["neutralise", "reject", "log"]
"""What happens to a chat template's control tokens in the text of variables and of callers' messages."""

BudgetWindow = Literal["minute", "hour", "day", "month", "total"]
"""What a budget's tokens and cost are for: the minute, hour, day or month of UTC, or once and for all."""

OnExceed = Literal["shorten", "refuse"]
"""What happens to a request that a budget has no room for: its answer is shortened to what fits, or it is refused."""

MOST_TOKENS = 10**15


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Server(_Section):
    """Where the gateway listens and what it takes from a client."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    max_body_bytes: int = Field(default=4_194_304, ge=1024)
    max_header_bytes: int = Field(default=32_768, ge=1024)
    header_timeout: Duration = 10.0
    body_timeout: Duration = 30.0
    idle_timeout: Duration = 75.0
    allowed_hosts: tuple[str, ...] = Field(default=("localhost", "127.0.0.1"), strict=False)
    drain_grace: Duration = 3.0
    drain_timeout: Duration = 30.0
    idempotency_ttl: Duration = 86400.0


class Store(_Section):
    """Where state lives: a folder, and the shared engines when one machine is outgrown."""

    path: Path = Field(default=Path("var"), strict=False)
    redis: RedisUrl = ""
    database: DatabaseUrl = ""


class UpstreamServer(_Section):
    """A server that we call."""

    kind: Literal["vllm", "openai", "fake"]
    base_url: BaseUrl = ""
    api_key: SecretReference | None = None
    max_in_flight: int = Field(default=256, ge=1)
    connect_timeout: Duration = 2.0
    first_byte_timeout: Duration = 60.0
    idle_timeout: Duration = 30.0
    max_answer_bytes: int = Field(default=16_777_216, ge=1024)


class Price(_Section):
    """Money for a million tokens.

    `cached` is for tokens of the input that the upstream had in its cache, `reasoning` for those of the output that are
    reasoning; where they are left out these cost what input and output do.
    """

    input: Money
    output: Money
    cached: Money | None = None
    reasoning: Money | None = None


class RouteUpstream(_Section):
    """One server of a route: its name, the model's name there, its share of the traffic."""

    name: Name
    model: str = Field(min_length=1, max_length=256)
    weight: int = Field(default=1, ge=0, le=1_000_000)


class Route(_Section):
    """A model name that callers ask for."""

    upstreams: tuple[RouteUpstream, ...] = Field(min_length=1, strict=False)
    max_output_tokens: int = Field(default=512, ge=1)
    timeout: Duration = 120.0
    payloads: Payloads | None = None
    context_window: int | None = Field(default=None, ge=1)
    tokenizer: str = Field(default="auto", min_length=1)
    control_tokens: ControlTokens = "neutralise"
    chat_template_kwargs: tuple[str, ...] = Field(default=(), strict=False)


class Prompts(_Section):
    """Where released prompts lie, and whether they may be published over HTTP."""

    path: Path = Field(default=Path("prompts"), strict=False)
    writable: bool = False


class Audit(_Section):
    """What the log keeps of an exchange beside its entries, and what happens to exchanges while it cannot be written."""

    payloads: Payloads = "full"
    on_failure: Literal["refuse", "record-gap"] = "refuse"
    site: Name = "gatehouse"


class App(_Section):
    """An application of a tenant."""

    routes: tuple[str, ...] = Field(default=("*",), strict=False)


class Tenant(_Section):
    """Who pays: the routes that it may use (names, "team-*" for a beginning, "*" for all) and its apps."""

    routes: tuple[str, ...] = Field(default=("*",), strict=False)
    apps: dict[Name, App] = Field(default_factory=dict)


class Budget(_Section):
    """What may be spent in a window, how fast, and by how many at once; what is left out is not limited.

    Every request that the budget covers must fit: it is named by the server, by tenants, apps and routes, and by keys.
    """

    window: BudgetWindow | None = None
    tokens: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    cost: Money | None = None
    requests_per_minute: int | None = Field(default=None, ge=0, le=100_000_000)
    tokens_per_minute: int | None = Field(default=None, ge=0, le=100_000_000)
    max_concurrent: int | None = Field(default=None, ge=0, le=1_000_000)
    on_exceed: OnExceed = "shorten"
    min_output_tokens: int = Field(default=64, ge=1, le=1_000_000)


class Settings(_Section):
    """All of gateway.toml; `load` has made its paths absolute, starting where the file lies."""

    server: Server = Field(default_factory=Server)
    store: Store = Field(default_factory=Store)
    upstreams: dict[Name, UpstreamServer] = Field(default_factory=dict)
    routes: dict[Name, Route] = Field(default_factory=dict)
    tenants: dict[Name, Tenant] = Field(default_factory=dict)
    audit: Audit = Field(default_factory=Audit)
    prompts: Prompts = Field(default_factory=Prompts)
