"""The tree of errors: what clients, and their retries, rely on."""

import inspect

import pytest

from controller import errors
from controller.errors import ControllerError

CLASSES = [
    kind
    for _name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ControllerError) and kind is not ControllerError
]


def test_codes_are_unique():
    codes = [kind.code for kind in CLASSES]
    assert len(codes) == len(set(codes))


def test_the_tree_at_the_top_names_every_class():
    for kind in CLASSES:
        assert kind.__name__ in errors.__doc__, kind


@pytest.mark.parametrize(
    ("kind", "status", "detail"),
    [
        (errors.OnlySellersCreate, 403, "Only sellers can create streams"),
        (errors.NotYourStream, 403, "Not your stream"),
        (errors.StreamNotFound, 404, "Stream not found"),
        (errors.ProductNotInStream, 404, "Product not in stream"),
        (errors.StreamNotAttachable, 400, "Can only attach products to scheduled streams"),
        (errors.StreamNotEditable, 400, "Can only update scheduled streams"),
        (errors.StreamNotScheduled, 400, "Stream must be in scheduled status"),
        (errors.StreamWithoutProducts, 400, "Stream must have at least 1 product attached"),
        (errors.HostNotReady, 400, "Camera and checklist must be ready"),
        (errors.StreamNotLive, 400, "Stream is not live"),
        (errors.ProductsNotFound, 400, "Some products not found"),
        (errors.ProductsNotAvailable, 400, "Some products not found or not available"),
    ],
)
def test_the_sentences_of_the_contract(kind, status, detail):
    error = kind()
    assert (error.http_status, error.detail, str(error)) == (status, detail, detail)


def test_only_what_may_pass_is_retryable():
    retryable = {kind.code for kind in CLASSES if kind.retryable}
    assert retryable == {
        "objects_unavailable",
        "storage_full",
        "store_unavailable",
        "too_many_failures",
        "uploads_busy",
    }
