"""The published document: complete, resolvable, and never looser than what is enforced."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from controller.api.engagement import show_money
from controller.api.openapi import ApiInfo, openapi_document
from controller.api.registry import DocumentedRoute
from controller.api.requests import ProductPut, ProductSelection, StreamCreate, StreamUpdate
from controller.api.webrtc_documentation import WEBRTC_ROUTES
from controller.api.whep import WhepHandlers
from controller.api.whip import WhipHandlers
from controller.errors import ControllerError

CONTRACT = {
    ("POST", "/streams"),
    ("GET", "/streams"),
    ("GET", "/streams/{stream_id}"),
    ("GET", "/streams/{stream_id}/health"),
    ("POST", "/streams/{stream_id}/products"),
    ("DELETE", "/streams/{stream_id}/products/{product_id}"),
    ("PATCH", "/streams/{stream_id}/settings"),
    ("POST", "/streams/{stream_id}/go-live"),
    ("POST", "/streams/{stream_id}/end"),
    ("POST", "/streams/{stream_id}/cancel"),
    ("POST", "/streams/{stream_id}/products/{product_id}/tag"),
    ("POST", "/streams/{stream_id}/products/{product_id}/events"),
    ("GET", "/streams/{stream_id}/viewers"),
    ("GET", "/streams/{stream_id}/analytics"),
    ("POST", "/streams/{stream_id}/rotate-key"),
    ("POST", "/streams/{stream_id}/clips"),
    ("GET", "/streams/{stream_id}/clips"),
    ("GET", "/streams/{stream_id}/clips/{clip_id}"),
    ("GET", "/streams/{stream_id}/media"),
    ("POST", "/streams/{stream_id}/playback-token"),
    ("POST", "/streams/{stream_id}/rehearsal"),
    ("GET", "/streams/{stream_id}/rehearsal"),
    ("DELETE", "/streams/{stream_id}/rehearsal"),
    ("GET", "/streams/{stream_id}/recording"),
    ("PATCH", "/streams/{stream_id}/recording"),
    ("DELETE", "/streams/{stream_id}/recording"),
    ("POST", "/streams/{stream_id}/recording/save"),
    ("POST", "/streams/{stream_id}/products/{product_id}/pin"),
    ("DELETE", "/streams/{stream_id}/products/{product_id}/pin"),
    ("GET", "/streams/{stream_id}/replay"),
    ("PUT", "/products/{product_id}"),
    ("GET", "/products"),
    ("DELETE", "/products/{product_id}"),
    ("PUT", "/users/{user_id}/follow"),
    ("DELETE", "/users/{user_id}/follow"),
    ("GET", "/users/me"),
    ("PUT", "/users/me"),
    ("PUT", "/users/me/devices/{device_id}"),
    ("DELETE", "/users/me/devices/{device_id}"),
    ("POST", "/media/upload-url"),
    ("POST", "/media/video/process"),
    ("GET", "/media/status/{job_id}"),
    ("DELETE", "/media/status/{job_id}"),
}


@pytest.fixture(scope="module")
def document(operations) -> dict[str, Any]:
    return openapi_document(operations, [], ApiInfo("1.0", "https://shop.test"))


def entries(document):
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            yield method.upper(), path, entry


def test_every_call_of_the_contract_is_there(document):
    assert {(method, path) for method, path, _entry in entries(document)} == CONTRACT


def test_every_reference_resolves(document):
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_every_call_names_its_errors_with_their_sentences(document, operations):
    for operation in operations:
        responses = document["paths"][operation.path][operation.method.lower()]["responses"]
        for refusal in operation.all_refusals:
            assert issubclass(refusal, ControllerError)
            content = responses[str(refusal.http_status)]["content"]["application/problem+json"]
            assert content["examples"][refusal.code]["value"]["detail"] == refusal.default_detail


def test_limits_of_the_contract_are_published(document):
    fields = document["components"]["schemas"]["StreamCreate"]["properties"]
    assert (fields["title"]["minLength"], fields["title"]["maxLength"]) == (1, 150)
    assert fields["description"]["anyOf"][0]["maxLength"] == 500
    duration = fields["estimated_duration"]
    assert (duration["minimum"], duration["maximum"], duration["default"]) == (5, 240, 30)
    limit = next(
        parameter["schema"]
        for parameter in document["paths"]["/streams"]["get"]["parameters"]
        if parameter["name"] == "limit"
    )
    assert (limit["minimum"], limit["maximum"]) == (1, 100)


def test_another_module_adds_a_call_of_its_own(operations):
    route = DocumentedRoute(
        method="POST",
        path="/streams/validate-key",
        operation={"operationId": "validateKey", "responses": {"200": {"description": "Yes."}}},
        schemas={"Hook": {"type": "object"}},
    )
    document = openapi_document(operations, [route], ApiInfo("1.0", "https://shop.test"))
    assert document["paths"]["/streams/validate-key"]["post"]["operationId"] == "validateKey"
    assert document["components"]["schemas"]["Hook"] == {"type": "object"}


def test_defaults_of_a_new_stream_are_the_contracts():
    new = StreamCreate.model_validate_json('{"title": "Mugs", "category": "kitchen"}')
    assert new.model_dump(exclude={"title", "category"}) == {
        "description": None,
        "audience": "everyone",
        "estimated_duration": 30,
        "notify_followers": True,
        "notify_neighborhood": False,
        "enable_chat": True,
        "enable_comments": True,
        "record_stream": True,
        "product_ids": [],
        "scheduled_at": None,
    }


@pytest.mark.parametrize("title", ["x", "x" * 150, "🔥" * 150, " x ", "日本", "<b>&</b>"])
def test_titles_of_all_kinds_are_taken_as_they_are(title):
    body = json.dumps({"title": title, "category": "kitchen"})
    assert StreamCreate.model_validate_json(body).title == title


def test_unknown_fields_are_ignored():
    assert StreamUpdate.model_validate_json('{"colour": "blue"}').model_fields_set == set()


@pytest.mark.parametrize("body", ['["{0}"]', '{{"product_ids": ["{0}"]}}'])
def test_products_are_selected_by_a_list_or_an_object(body):
    wanted = "0f8fad5b-d9cb-469f-a165-70867728950e"
    selection = ProductSelection.model_validate_json(body.format(wanted))
    assert [str(product) for product in selection.ids] == [wanted]


@pytest.mark.parametrize(
    ("number", "price"), [("19.99", "19.99"), ("0", "0"), ("1e2", "100"), ("0.0001", "0.0001")]
)
def test_a_price_is_the_decimal_that_was_written(number, price):
    body = f'{{"title": "Mug", "price": {number}, "currency": "EUR"}}'
    assert ProductPut.model_validate_json(body).price == Decimal(price)


def test_a_price_beyond_four_decimals_is_not_rounded():
    with pytest.raises(ValidationError):
        ProductPut.model_validate_json('{"title": "Mug", "price": 1.00001, "currency": "EUR"}')


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("37.5", "37.50"),
        ("1000", "1000.00"),
        ("0.125", "0.125"),
        ("12345678.9012", "12345678.9012"),
    ],
)
def test_money_is_told_as_a_decimal(amount, text):
    assert show_money(Decimal(amount)) == text


def test_every_call_of_whip_and_whep_is_documented_at_the_servers_root():
    served = [
        *WhipHandlers(None, None, None).routes(),
        *WhepHandlers(None, None, None, None, None).routes(),
    ]
    named = {(route.method, route.path) for route in served if route.method != "*"}

    assert {(route.method, route.path) for route in WEBRTC_ROUTES} == named
    paths = openapi_document([], WEBRTC_ROUTES, ApiInfo("1", "https://live.example"))["paths"]
    for entries in paths.values():
        for entry in entries.values():
            assert entry["servers"] == [{"url": "https://live.example"}]


def test_publishers_over_whip_are_told_all_that_they_may_be_refused_with():
    [publish] = [
        route for route in WEBRTC_ROUTES if route.operation["operationId"] == "whipPublish"
    ]
    told = {(refusal.http_status, refusal.code) for refusal in publish.refusals}

    assert {(403, "unknown_key"), (403, "already_publishing"), (503, "no_capacity")} <= told
    assert {(400, "offer_malformed"), (422, "offer_unacceptable")} <= told
