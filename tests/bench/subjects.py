"""What is measured: a list, to be lengthened by an entry.

Each subject says how it is started in front of the upstream. All are one process (nginx: one worker) on one core.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.bench import litellm_env
from tests.bench.bodies import MODELS
from tests.bench.processes import BenchError, Launch


@dataclass(frozen=True, slots=True)
class Site:
    """Where a subject is set up: a folder of its own, the port to listen on, the upstream's port."""

    folder: Path
    port: int
    upstream: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A proxy to measure. `rate` is that of the latency passes, requests per second; `warmup` precedes a measured window."""

    name: str
    prepare: Callable[[Site], Launch]
    rate: float = 200.0
    warmup: float = 0.4


_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream fast {{
    server 127.0.0.1:{upstream};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://fast;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""

_GATEHOUSE = """\
[server]
port = {port}
drain_grace = "10ms"

[store]
path = "var"

[upstreams.fast]
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
max_in_flight = 1024

[tenants.bench]
routes = ["*"]
"""

_LITELLM_KEY = "sk-bench-0123456789"
_LITELLM_MODEL = """\
  - model_name: {model}
    litellm_params:
      model: hosted_vllm/{model}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: sk-none
"""
_LITELLM = """\
litellm_settings:
  request_timeout: 600
  num_retries: 0
  set_verbose: false
  json_logs: false
  telemetry: false
general_settings:
  master_key: {key}
"""


def nginx(site: Site) -> Launch:
    """Set up nginx as a plain proxy: it reads nothing but HTTP."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise BenchError("nginx is not installed: install the system's package, or leave it out with --only")
    config = site.folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=site.folder, port=site.port, upstream=site.upstream))
    return Launch([program, "-c", str(config), "-p", str(site.folder)])


def floor(site: Site) -> Launch:
    """Set up the least that a gateway in Python does."""
    return Launch([sys.executable, "-m", "tests.bench.floor", str(site.port), str(site.upstream)])


def floor_aiohttp(site: Site) -> Launch:
    """Set up the floor with the client that Gatehouse uses."""
    return Launch([sys.executable, "-m", "tests.bench.floor_aiohttp", str(site.port), str(site.upstream)])


def gatehouse(settings: str = "", route: str = "") -> Callable[[Site], Launch]:
    """Return how to set up Gatehouse: a tenant, a key, a route for each model; `settings` and `route` add to gateway.toml."""

    def prepare(site: Site) -> Launch:
        program = Path(sys.executable).with_name("gatehouse")
        config = site.folder / "gateway.toml"
        routes = "".join(f'\n[routes.{model}]\nupstreams = [{{ name = "fast", model = "{model}" }}]\n{route}' for model in MODELS)
        config.write_text(_GATEHOUSE.format(port=site.port, upstream=site.upstream) + routes + settings)
        create = [str(program), "keys", "create", "--tenant", "bench", "--json", "-c", str(config)]
        made = subprocess.run(create, capture_output=True, check=False, timeout=60)
        if made.returncode:
            raise BenchError(f"gatehouse made no key: {made.stderr.decode(errors='replace').strip()[-400:]}")
        key = orjson.loads(made.stdout)["key"]
        return Launch([str(program), "serve", "-c", str(config)], headers={"authorization": f"Bearer {key}"})

    return prepare


def litellm(site: Site) -> Launch:
    """Set up LiteLLM's proxy as its documentation advises for production: no database, no callbacks, one worker on the core.

    Its provider for vLLM servers and rarer garbage collection cost it least, uvicorn less than granian.
    """
    program = litellm_env.ensure()
    config = site.folder / "litellm.yaml"
    models = "".join(_LITELLM_MODEL.format(model=model, upstream=site.upstream) for model in MODELS)
    config.write_text("model_list:\n" + models + _LITELLM.format(key=_LITELLM_KEY))
    address = ["--host", "127.0.0.1", "--port", str(site.port)]
    return Launch(
        [str(program), "--config", str(config), *address, "--num_workers", "1", "--telemetry", "False"],
        environment={
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHON_GC_THRESHOLD": "10000,50,50",
            "DISABLE_ADMIN_UI": "True",
            "NO_DOCS": "True",
        },
        headers={"authorization": f"Bearer {_LITELLM_KEY}"},
    )


SUBJECTS = (
    Subject("nginx", nginx),
    Subject("floor", floor),
    Subject("floor-aiohttp", floor_aiohttp),
    Subject("gatehouse", gatehouse()),
    Subject("litellm", litellm, rate=40.0, warmup=2.0),
)
