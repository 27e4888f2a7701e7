"""The directory on one screen."""

from controller.api.directory import DirectoryHandlers
from controller.api.directory_answers import (
    DeviceAnswer,
    DeviceDeleted,
    DirectoryProduct,
    DirectoryProductPage,
    Following,
    ProductDeleted,
    Profile,
)
from controller.api.registry import AnyOperation, Operation
from controller.api.requests import DevicePut, ProductListQuery, ProductPut, UserPut
from controller.errors import (
    CannotFollowSelf,
    NotYourProduct,
    OnlySellersSell,
    ProductNotFound,
    UserNotFound,
)

_TAG = "Directory"


def directory_operations(handlers: DirectoryHandlers) -> list[AnyOperation]:
    """Every call of the directory."""
    return [*_products(handlers), *_people(handlers), *_devices(handlers)]


def _products(handlers: DirectoryHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="PUT",
            path="/products/{product_id}",
            id="putProduct",
            tag=_TAG,
            summary="Add or replace a product",
            who="Its seller",
            handler=handlers.put_product,
            body=ProductPut,
            answers={200: DirectoryProduct, 201: DirectoryProduct},
            refusals=(OnlySellersSell, NotYourProduct),
            gives={"product_id": "$request.path.product_id"},
        ),
        Operation(
            method="GET",
            path="/products",
            id="listProducts",
            tag=_TAG,
            summary="List a seller's products, newest first",
            who="The seller",
            handler=handlers.list_products,
            query=ProductListQuery,
            answers={200: DirectoryProductPage},
            refusals=(NotYourProduct,),
        ),
        Operation(
            method="DELETE",
            path="/products/{product_id}",
            id="deleteProduct",
            tag=_TAG,
            summary="Take a product out of the directory; past streams keep it",
            who="Its seller",
            handler=handlers.delete_product,
            answers={200: ProductDeleted},
            refusals=(ProductNotFound, NotYourProduct),
        ),
    ]


def _people(handlers: DirectoryHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="PUT",
            path="/users/{user_id}/follow",
            id="followUser",
            tag=_TAG,
            summary="Follow a host",
            who="Any user",
            handler=handlers.follow,
            answers={200: Following},
            refusals=(UserNotFound, CannotFollowSelf),
        ),
        Operation(
            method="DELETE",
            path="/users/{user_id}/follow",
            id="unfollowUser",
            tag=_TAG,
            summary="Stop following a host",
            who="Any user",
            handler=handlers.unfollow,
            answers={200: Following},
            refusals=(UserNotFound,),
        ),
        Operation(
            method="GET",
            path="/users/me",
            id="getProfile",
            tag=_TAG,
            summary="Read your own entry",
            who="Any user",
            handler=handlers.get_profile,
            answers={200: Profile},
            refusals=(UserNotFound,),
        ),
        Operation(
            method="PUT",
            path="/users/me",
            id="putProfile",
            tag=_TAG,
            summary="Change your own entry; only fields that are sent change, null clears",
            who="Any user",
            handler=handlers.put_profile,
            body=UserPut,
            answers={200: Profile},
            refusals=(UserNotFound,),
        ),
    ]


def _devices(handlers: DirectoryHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="PUT",
            path="/users/me/devices/{device_id}",
            id="putDevice",
            tag=_TAG,
            summary="Add or replace a push target",
            who="Any user",
            handler=handlers.put_device,
            body=DevicePut,
            answers={200: DeviceAnswer},
        ),
        Operation(
            method="DELETE",
            path="/users/me/devices/{device_id}",
            id="deleteDevice",
            tag=_TAG,
            summary="Forget a push target",
            who="Any user",
            handler=handlers.delete_device,
            answers={200: DeviceDeleted},
        ),
    ]
