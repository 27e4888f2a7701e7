"""Rows of the schema as the domain's values."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, RowMapping

from controller.domain.geography import Position
from controller.domain.people import User
from controller.domain.products import Product
from controller.domain.publications import Publication, Publisher, StoredKey
from controller.domain.room import ChatMessage
from controller.domain.streams import Stream, StreamCounters, StreamOptions


def stream_from(row: Row[Any] | RowMapping) -> Stream:
    """A row of `streams`."""
    columns = row if isinstance(row, RowMapping) else row._mapping  # noqa: SLF001
    return Stream(
        id=columns["id"],
        owner_id=columns["owner_id"],
        title=columns["title"],
        description=columns["description"],
        category=columns["category"],
        status=columns["status"],
        ingest_state=columns["ingest_state"],
        ingest_state_since=columns["ingest_state_since"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        options=_options_from(columns),
        counters=_counters_from(columns),
        stream_type=columns["stream_type"],
        thumbnail_url=columns["thumbnail_url"],
        scheduled_at=columns["scheduled_at"],
        started_at=columns["started_at"],
        ended_at=columns["ended_at"],
        end_reason=columns["end_reason"],
        duration_s=columns["duration_s"],
        vod_url=columns["vod_url"],
        mp4_url=columns["mp4_url"],
        poster_url=columns["poster_url"],
        storyboard_url=columns["storyboard_url"],
    )


def _options_from(columns: RowMapping) -> StreamOptions:
    return StreamOptions(
        audience=columns["audience"],
        estimated_duration_min=columns["estimated_duration_min"],
        notify_followers=columns["notify_followers"],
        notify_neighborhood=columns["notify_neighborhood"],
        enable_chat=columns["enable_chat"],
        enable_comments=columns["enable_comments"],
        record_stream=columns["record_stream"],
    )


def _counters_from(columns: RowMapping) -> StreamCounters:
    return StreamCounters(
        viewers_now=columns["viewers_now"],
        total_views=columns["total_views"],
        peak_viewers=columns["peak_viewers"],
        unique_viewers=columns["unique_viewers"],
        total_likes=columns["total_likes"],
        chat_messages=columns["chat_messages"],
        average_watch_time_s=columns["average_watch_time_s"],
    )


def stream_columns(stream: Stream) -> dict[str, Any]:
    """What a new stream writes; counters start at the schema's zero."""
    options = stream.options
    return {
        "id": stream.id,
        "owner_id": stream.owner_id,
        "title": stream.title,
        "description": stream.description,
        "category": stream.category,
        "status": stream.status,
        "ingest_state": stream.ingest_state,
        "ingest_state_since": stream.ingest_state_since,
        "stream_type": stream.stream_type,
        "audience": options.audience,
        "estimated_duration_min": options.estimated_duration_min,
        "notify_followers": options.notify_followers,
        "notify_neighborhood": options.notify_neighborhood,
        "enable_chat": options.enable_chat,
        "enable_comments": options.enable_comments,
        "record_stream": options.record_stream,
        "scheduled_at": stream.scheduled_at,
        "created_at": stream.created_at,
        "updated_at": stream.updated_at,
    }


def user_from(row: Row[Any]) -> User:
    """A row of `users`."""
    position = None if row.latitude is None else Position(row.latitude, row.longitude)
    return User(
        id=row.id,
        username=row.username,
        role=row.role,
        created_at=row.created_at,
        avatar_url=row.avatar_url,
        position=position,
    )


def product_from(row: Row[Any]) -> Product:
    """A row of `products`."""
    return Product(
        id=row.id,
        seller_id=row.seller_id,
        title=row.title,
        price=row.price,
        currency=row.currency,
        image_urls=tuple(row.image_urls),
        is_available=row.is_available,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def publication_from(row: Row[Any]) -> Publication:
    """A row of `publications`."""
    return Publication(
        id=row.id,
        stream_id=row.stream_id,
        internal_name=row.internal_name,
        publisher=Publisher(
            nginx_client_id=row.nginx_client_id,
            client_address=row.client_address,
            nginx_instance=row.nginx_instance,
        ),
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )


def key_from(row: Row[Any]) -> tuple[UUID, StoredKey]:
    """A row of `stream_keys`: its stream and the key."""
    key = StoredKey(id=row.id, lookup_hash=row.lookup_hash, ciphertext=row.ciphertext)
    return row.stream_id, key


def chat_message_from(row: Row[Any]) -> ChatMessage:
    """A row of `chat_messages`."""
    return ChatMessage(
        id=row.id,
        stream_id=row.stream_id,
        user_id=row.user_id,
        username=row.username,
        avatar_url=row.avatar_url,
        text=row.text,
        sent_at=row.sent_at,
        stream_time_s=row.stream_time_s,
        is_held=row.is_held,
    )
