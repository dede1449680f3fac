"""What a route lets through."""

import pytest

from gateway.errors import InvalidRequest
from gateway.route.limits import check_template, output_limit
from gateway.settings.tree import Route, RouteUpstream

ROUTE = Route(upstreams=(RouteUpstream(name="a", model="m"),), max_output_tokens=100, chat_template_kwargs=("enable_thinking",))


@pytest.mark.parametrize(
    ("asked", "limit", "shortened"), [(None, 100, False), (1, 1, False), (100, 100, False), (101, 100, True), (10**9, 100, True)]
)
def test_the_route_bounds_the_output_and_says_when_it_did(asked: int | None, limit: int, shortened: bool) -> None:
    assert output_limit(asked, ROUTE) == (limit, shortened)


@pytest.mark.parametrize("given", [b"null", b"{}", b'{"enable_thinking":false}', b'{"enable_thinking":{"deep":[1]}}'])
def test_keys_that_the_route_lists_pass(given: bytes) -> None:
    check_template(given, ROUTE)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (b'{"enable_thinking":1,"add_generation_prompt":2}', "chat_template_kwargs.add_generation_prompt"),
        (b'{"chat_template":"x"}', "chat_template_kwargs.chat_template"),
        (b'{"a\\nb":1}', "chat_template_kwargs.?"),
        (b'{"' + b"k" * 200 + b'":1}', "chat_template_kwargs." + "k" * 64),
    ],
)
def test_any_other_key_is_refused_by_name(given: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_template(given, ROUTE)
    assert (caught.value.code, caught.value.param) == ("unsupported_field", param)


@pytest.mark.parametrize("given", [b"[]", b"1", b'"enable_thinking"'])
def test_what_is_no_object_is_refused(given: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_template(given, ROUTE)
    assert (caught.value.code, caught.value.param) == ("invalid_field", "chat_template_kwargs")
