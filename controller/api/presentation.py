"""The domain's values as the API shows them."""

from collections.abc import Sequence
from uuid import UUID

from controller.api.public_urls import PublicUrls
from controller.api.stream_answers import (
    AttachedProducts,
    PlaybackGranted,
    ProductAnswer,
    StreamCreated,
    StreamEnded,
    StreamLive,
    StreamResponse,
    StreamSettingsAnswer,
    StreamStats,
    StreamUpdated,
    UserAnswer,
)
from controller.domain.access import PlaybackGrant
from controller.domain.products import Product
from controller.domain.stream_service import OnAir, ShownStream
from controller.domain.streams import Audience, CreatedStream, Stream


def show_product(product: Product) -> ProductAnswer:
    """A product beside a stream."""
    return ProductAnswer(
        id=product.id,
        title=product.title,
        price=float(product.price),
        currency=product.currency,
        image_url=product.image_urls[0] if product.image_urls else None,
        is_available=product.is_available,
    )


def show_stream(shown: ShownStream, urls: PublicUrls) -> StreamResponse:
    """A stream in full."""
    stream, owner = shown.described.stream, shown.described.owner
    options, counters = stream.options, stream.counters
    return StreamResponse(
        id=stream.id,
        user_id=stream.owner_id,
        title=stream.title,
        description=stream.description,
        category=stream.category,
        status=stream.status,
        stream_type=stream.stream_type,
        rtmp_url=urls.rtmp_url,
        stream_key=shown.stream_key,
        hls_url=urls.hls(stream.id),
        dash_url=urls.dash(stream.id),
        low_latency_dash_url=urls.low_latency_dash(stream.id),
        thumbnail_url=stream.thumbnail_url,
        viewer_count=counters.viewers_now,
        total_views=counters.total_views,
        duration_seconds=stream.duration_s,
        scheduled_at=stream.scheduled_at,
        started_at=stream.started_at,
        ended_at=stream.ended_at,
        audience=options.audience,
        estimated_duration=options.estimated_duration_min,
        notify_followers=options.notify_followers,
        notify_neighborhood=options.notify_neighborhood,
        enable_chat=options.enable_chat,
        enable_comments=options.enable_comments,
        record_stream=options.record_stream,
        vod_url=stream.vod_url,
        mp4_url=stream.mp4_url,
        poster_url=stream.poster_url,
        storyboard_url=stream.storyboard_url,
        peak_viewers=counters.peak_viewers,
        unique_viewers=counters.unique_viewers,
        total_likes=counters.total_likes,
        chat_messages_count=counters.chat_messages,
        average_watch_time=counters.average_watch_time_s,
        ingest_state=stream.ingest_state,
        created_at=stream.created_at,
        updated_at=stream.updated_at,
        user=UserAnswer(id=owner.id, username=owner.username, avatar_url=owner.avatar_url),
        products=[show_product(product) for product in shown.described.products],
    )


def show_created(created: CreatedStream) -> StreamCreated:
    """The answer to a creation."""
    return StreamCreated(
        stream_id=created.stream_id,
        title=created.title,
        status=created.status,
        audience=created.audience,
        estimated_duration=created.estimated_duration_min,
        product_count=created.product_count,
        created_at=created.created_at,
    )


def show_attached(stream_id: UUID, products: Sequence[Product]) -> AttachedProducts:
    """The whole list of a stream's products."""
    return AttachedProducts(
        stream_id=stream_id,
        products=[show_product(product) for product in products],
        total_count=len(products),
    )


def show_updated(stream: Stream) -> StreamUpdated:
    """The answer to a change of settings."""
    options = stream.options
    return StreamUpdated(
        stream_id=stream.id,
        title=stream.title,
        description=stream.description,
        settings=StreamSettingsAnswer(
            audience=options.audience,
            estimated_duration=options.estimated_duration_min,
            notify_followers=options.notify_followers,
            notify_neighborhood=options.notify_neighborhood,
            enable_chat=options.enable_chat,
            enable_comments=options.enable_comments,
            record_stream=options.record_stream,
        ),
        updated_at=stream.updated_at,
    )


def show_live(on_air: OnAir, urls: PublicUrls) -> StreamLive:
    """The answer to going live."""
    stream = on_air.stream
    return StreamLive(
        stream_id=stream.id,
        status=stream.status,
        rtmp_url=urls.rtmp_url,
        stream_key=on_air.stream_key,
        hls_url=urls.hls(stream.id),
        dash_url=urls.dash(stream.id),
        started_at=stream.started_at,
        notifications_sent=on_air.notifications_queued,
    )


def show_ended(stream: Stream) -> StreamEnded:
    """The answer to ending."""
    counters = stream.counters
    return StreamEnded(
        stream_id=stream.id,
        status=stream.status,
        duration=stream.duration_s or 0,
        stats=StreamStats(
            peak_viewers=counters.peak_viewers,
            unique_viewers=counters.unique_viewers,
            total_likes=counters.total_likes,
            chat_messages=counters.chat_messages,
            average_watch_time=counters.average_watch_time_s,
        ),
        vod_url=stream.vod_url,
        ended_at=stream.ended_at,
    )


def show_grant(stream: Stream, grant: PlaybackGrant, urls: PublicUrls) -> PlaybackGranted:
    """Addresses that play; with the token in front where the audience is limited."""
    is_open = stream.options.audience is Audience.EVERYONE
    token = None if is_open else grant.token
    vod_url = None if stream.vod_url is None else urls.vod(stream.id, token)
    return PlaybackGranted(
        stream_id=stream.id,
        token=token,
        expires_at=None if is_open else grant.expires_at,
        renew_at=None if is_open else grant.renew_at,
        hls_url=urls.hls(stream.id, token),
        dash_url=urls.dash(stream.id, token),
        low_latency_dash_url=urls.low_latency_dash(stream.id, token),
        vod_url=vod_url,
        mp4_url=urls.with_token(stream.mp4_url, token),
        poster_url=urls.with_token(stream.poster_url, token),
        storyboard_url=urls.with_token(stream.storyboard_url, token),
        thumbnail_url=urls.with_token(stream.thumbnail_url, token),
    )
