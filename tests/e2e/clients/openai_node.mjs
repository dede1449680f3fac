// The official Node SDK against an OpenAI-compatible endpoint: one line a check, exit 0 when all held.
//
//     BASE_URL=http://127.0.0.1:8080/v1 API_KEY=gth_… MODEL=chat-default node openai_node.mjs [CHECK …]
//
// The same checks under the same conditions as in openai_python.py, which says what FAKE_URL and VLLM_URL add.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL, FAKE_URL = "", VLLM_URL = "" } = process.env;
const CANCELLED_WITHIN = 1000; // milliseconds from the client's leaving to the end at the upstream

// What makes the fake slow; a real model reads the line as text, and LETTERS makes it slow.
const LONG_STREAM = "#fake chunks=400 gap=0.05\nTell me everything.";
const LONG_ANSWER = "#fake delay=20\nTell me everything.";
const LETTERS = { structured_outputs: { regex: "[qz]{1900}" } };
const CALL = {
  structured_outputs: {
    regex: '<tool_call>\n\\{"name": "weather", "arguments": \\{"label": "(yes|no)", "score": [0-9]\\}\\}\n</tool_call>',
  },
};

const HELLO = [{ role: "user", content: "Say hello to the gatekeeper." }];
const LABEL = {
  type: "object",
  properties: { label: { type: "string", enum: ["yes", "no"] }, score: { type: "integer", minimum: 0, maximum: 9 } },
  required: ["label", "score"],
  additionalProperties: false,
};
const WEATHER = { type: "function", function: { name: "weather", description: "The weather of a city", parameters: LABEL } };
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function client(changed = {}) {
  return new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0, timeout: 30_000, ...changed });
}

function create(fields, options) {
  return client().chat.completions.create({ model: MODEL, messages: HELLO, ...fields }, options);
}

function expect(held, seen) {
  if (!held) throw new Error(typeof seen === "string" ? seen : JSON.stringify(seen));
}

async function raises(kind, code, work, status) {
  let error;
  try {
    await work();
  } catch (raised) {
    error = raised;
  }
  expect(error, "no error");
  expect(error.constructor === kind && error.code === code, `${error.constructor.name} ${error.code}: ${error.message}`);
  if (status !== undefined) {
    expect(error.status === status && error.type && error.message, `${error.status} ${error.type}`);
    expect(UUID7.test(error.requestID), `x-request-id ${error.requestID}`);
  }
  return error;
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const choicesOf = (chunks) => chunks.flatMap((chunk) => chunk.choices);
const textOf = (chunks) => choicesOf(chunks).map((choice) => choice.delta.content ?? "").join("");
const counts = (usage) => [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens].join(" ");

function labelled(text) {
  const value = JSON.parse(text);
  const known = ["yes", "no"].includes(value.label) && Number.isInteger(value.score) && value.score >= 0 && value.score <= 9;
  expect(known && Object.keys(value).length === 2, value);
}

async function chat() {
  const answer = await create({ max_tokens: 16 });
  const [choice] = answer.choices;
  expect(choice.message.content && ["stop", "length"].includes(choice.finish_reason), answer);
  expect(answer.object === "chat.completion" && answer.model === MODEL, answer);
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = answer.usage;
  expect(input > 0 && output > 0 && output <= 16 && total === input + output, answer.usage);
}

async function stream() {
  const asked = { max_tokens: 16, temperature: 0, seed: 7 };
  const plain = await create(asked);
  const chunks = await all(await create({ ...asked, stream: true, stream_options: { include_usage: true } }));
  expect(textOf(chunks) && textOf(chunks) === plain.choices[0].message.content, chunks);
  expect(new Set(chunks.map((chunk) => chunk.id)).size === 1 && chunks[0].id.startsWith("chatcmpl-"), chunks[0]);
  expect(chunks.every((chunk) => chunk.model === MODEL && chunk.object === "chat.completion.chunk"), chunks);
  const last = chunks.pop();
  expect(last.choices.length === 0 && chunks.every((chunk) => chunk.choices.length && !chunk.usage), [chunks, last]);
  expect(counts(last.usage) === counts(plain.usage), [last.usage, plain.usage]);
  const finished = choicesOf(chunks).flatMap((choice) => choice.finish_reason ?? []);
  expect(finished.length === 1 && finished[0] === plain.choices[0].finish_reason, finished);
}

async function stream_without_usage() {
  const chunks = await all(await create({ max_tokens: 8, stream: true }));
  expect(chunks.length && chunks.every((chunk) => chunk.choices.length && !chunk.usage), chunks);
}

// The fake is forced by the request to call the tool, a real model by what it may say.
function withTool() {
  const forced = VLLM_URL ? CALL : { tool_choice: { type: "function", function: { name: "weather" } } };
  return { model: MODEL, messages: HELLO, tools: [WEATHER], max_tokens: 128, ...forced };
}

function called(answer) {
  const calls = answer.choices[0].message.tool_calls ?? [];
  expect(calls.length === 1 && calls[0].id && calls[0].function.name === "weather", answer);
  labelled(calls[0].function.arguments);
}

async function tools() {
  const answer = await create(withTool());
  expect(["tool_calls", "stop"].includes(answer.choices[0].finish_reason), answer);
  called(answer);
}

async function tools_streamed() {
  called(await client().chat.completions.stream(withTool()).finalChatCompletion());
}

async function structured_output() {
  const response_format = { type: "json_schema", json_schema: { name: "label", schema: LABEL, strict: true } };
  labelled((await create({ max_tokens: 64, response_format })).choices[0].message.content);
  labelled(textOf(await all(await create({ max_tokens: 64, response_format, stream: true }))));
}

async function models() {
  const listed = await all(client().models.list());
  expect(listed.some((model) => model.id === MODEL) && listed.every((model) => model.object === "model"), listed);
  expect((await client().models.retrieve(MODEL)).id === MODEL, MODEL);
  await raises(OpenAI.NotFoundError, "model_not_found", () => client().models.retrieve("no-such-model"), 404);
}

async function headers() {
  const { data, response } = await create({ max_tokens: 8 }).withResponse();
  const exchange = response.headers.get("x-request-id");
  expect(UUID7.test(exchange) && data.id === `chatcmpl-${exchange}` && data.model === MODEL, [exchange, data]);
  expect(data._request_id === exchange, data._request_id);
  expect(response.headers.get("x-gatehouse-route") === MODEL && response.headers.get("x-gatehouse-upstream"), [...response.headers]);
  const streamed = await create({ max_tokens: 8, stream: true }).withResponse();
  const chunks = await all(streamed.data);
  expect(chunks[0].id === `chatcmpl-${streamed.response.headers.get("x-request-id")}`, chunks[0]);
}

async function wrong_key() {
  const stranger = client({ apiKey: "gth_no-such-key" });
  const ask = () => stranger.chat.completions.create({ model: MODEL, messages: HELLO });
  const error = await raises(OpenAI.AuthenticationError, "invalid_api_key", ask, 401);
  expect(!JSON.stringify(error.error).includes("no-such-key"), error.error);
}

async function unknown_model() {
  for (const stream of [false, true]) {
    await raises(OpenAI.NotFoundError, "model_not_found", () => create({ model: "no-such-model", stream }), 404);
  }
}

async function unsupported_field() {
  const error = await raises(OpenAI.BadRequestError, "unsupported_field", () => create({ guided_json: LABEL }), 400);
  expect(error.param === "guided_json", error.param);
}

async function invalid_field() {
  const error = await raises(OpenAI.BadRequestError, "invalid_field", () => create({ temperature: "tepid" }), 400);
  expect(error.param === "temperature" && !JSON.stringify(error.error).includes("tepid"), error.error);
}

function faulty(line, fields = {}, using = client()) {
  const messages = [{ role: "user", content: `#fake ${line}\nHello.` }];
  return using.chat.completions.create({ model: MODEL, messages, ...fields });
}

async function rate_limited() {
  const ask = () => faulty("fault=rate-limit retry-after=7");
  const error = await raises(OpenAI.RateLimitError, "rate_limit_exceeded", ask, 429);
  expect(error.headers.get("retry-after") === "7", [...error.headers]);
}

async function retried() {
  const text = `once-${process.hrtime.bigint()}`;
  const answer = await faulty(`fault=rate-limit times=1 text=${text}`, {}, client({ maxRetries: 1 }));
  expect(answer.choices[0].message.content === text, answer);
}

async function upstream_failed() {
  await raises(OpenAI.InternalServerError, "upstream_error", () => faulty("fault=server-error"), 502);
}

async function upstream_unreachable() {
  const ask = () => create({ model: `${MODEL}-unreachable` });
  const error = await raises(OpenAI.InternalServerError, "upstream_unavailable", ask, 503);
  expect(Number(error.headers.get("retry-after")) >= 1, [...error.headers]);
}

async function upstream_timeout() {
  for (const stream of [false, true]) {
    const ask = () => faulty("fault=hang-before-head", { model: `${MODEL}-impatient`, stream });
    await raises(OpenAI.InternalServerError, "upstream_timeout", ask, 504);
  }
}

async function broken_stream() {
  for (const fault of ["reset-mid-answer", "close-mid-answer", "error-event", "no-finish-done"]) {
    const chunks = [];
    await raises(OpenAI.APIError, "upstream_error", async () => {
      for await (const chunk of await faulty(`fault=${fault} after=3 chunks=8`, { stream: true })) chunks.push(chunk);
    });
    expect(textOf(chunks), chunks);
  }
}

async function page(path) {
  return (await fetch((FAKE_URL || VLLM_URL) + path)).text();
}

async function sum(start) {
  const lines = (await page("/metrics")).split("\n").filter((line) => line.startsWith(start));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}

async function totals() {
  return JSON.parse(await page("/fake/requests")).totals;
}

async function running() {
  return FAKE_URL ? (await totals()).running : sum("vllm:num_requests_running{");
}

async function completed() {
  if (FAKE_URL) return (await totals()).outcomes.complete ?? 0;
  const reasons = ["stop", "length", "repetition"];
  const sums = await Promise.all(reasons.map((one) => sum(`vllm:request_success_total{engine="0",finished_reason="${one}"`)));
  return sums.reduce((total, one) => total + one, 0);
}

async function soon(held, within) {
  const deadline = performance.now() + within;
  while (!(await held())) {
    if (performance.now() > deadline) return false;
    // A page of vLLM's metrics costs its server milliseconds: asked without a pause it would answer nobody else.
    await pause(50);
  }
  return true;
}

const works = () => soon(async () => (await running()) > 0, 10_000);
const stops = () => soon(async () => (await running()) === 0, CANCELLED_WITHIN);
const endless = (content) => ({ messages: [{ role: "user", content }], max_tokens: 1900, ...(FAKE_URL ? {} : LETTERS) });

async function closed_stream() {
  const before = await completed();
  for await (const chunk of await create({ ...endless(LONG_STREAM), stream: true })) {
    expect(chunk.choices.length && (await works()), "no chunk, or nothing runs");
    break;
  }
  expect(await stops(), "the upstream still works after the stream was closed");
  expect((await completed()) === before, "the upstream worked to the end");
}

async function cancelled_request() {
  const before = await completed();
  const leaving = new AbortController();
  const request = create(endless(LONG_ANSWER), { signal: leaving.signal }).then(
    () => "answered",
    (error) => error,
  );
  expect(await works(), "nothing runs");
  leaving.abort();
  expect((await request) instanceof OpenAI.APIUserAbortError, "the request was not cancelled");
  expect(await stops(), "the upstream still works after the request was cancelled");
  expect((await completed()) === before, "the upstream worked to the end");
}

const always = [chat, stream, stream_without_usage, tools, tools_streamed, structured_output, models, headers];
const refusals = [wrong_key, unknown_model, unsupported_field, invalid_field];
const withFake = [rate_limited, retried, upstream_failed, upstream_unreachable, upstream_timeout, broken_stream];
const withUpstream = [closed_stream, cancelled_request];

const named = process.argv.slice(2);
const allowed = [...always, ...refusals, ...(FAKE_URL ? withFake : []), ...(FAKE_URL || VLLM_URL ? withUpstream : [])];
const version = JSON.parse(readFileSync(new URL("package.json", import.meta.resolve("openai")))).version;
console.log(`openai ${version} on node ${process.versions.node}`);
for (const check of allowed.filter((one) => !named.length || named.includes(one.name))) {
  try {
    await check();
    console.log(`ok ${check.name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED ${check.name}: ${error.constructor.name}: ${error.message}`);
  }
}
