"""The daemon's settings: environment `GOLIVE_…` over a TOML file over the embedded defaults.

The only module that reads the environment. Everything else is handed the part it needs.
"""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

Seconds = Annotated[float, Field(gt=0)]
_SHORTEST_DVR_WINDOW_S = 12.0
_ICE_URL = re.compile(r"(?:stun|turn)s?:[^\s<>;,\"]{1,255}")
ListenAddress = Annotated[str, Field(pattern=r"^((\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?[0-9]{1,5}$")]
JwtAlgorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

RELOADED: JsonDict = {"reloaded": True}
"""Marks what a running daemon takes over at SIGHUP; all else waits for its next start."""


class Settings(BaseSettings):
    """Every setting of the daemon, its workers and `golive dev`; frozen once read."""

    model_config = SettingsConfigDict(env_prefix="GOLIVE_", frozen=True, extra="forbid")
    file_values: ClassVar[Mapping[str, Any]] = {}
    files_only: ClassVar[bool] = False

    data_dir: Path = Field(
        default=Path("var"),
        description="Folder of everything that golive keeps: database, live media, recordings.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="What players put before `/live/…`: scheme, host and port, no trailing slash.",
    )
    rtmp_url: str = Field(
        default="rtmp://127.0.0.1:1935/live",
        description="The server address that hosts enter in their encoder.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="The certificate chain (PEM) of the public name: HTTPS with HTTP/2, and RTMPS. "
        "Empty: neither.",
    )
    tls_key: Path | None = Field(
        default=None, description="The private key (PEM) that belongs to the certificate."
    )
    requests_per_s: int = Field(
        default=50,
        ge=0,
        le=100_000,
        description="How often in a second one address may call the API, four times as often for "
        "a moment; players' media are not counted. 0: no bound.",
    )
    http_listen: str = Field(
        default="",
        description="Where the daemon answers HTTP: `host:port`, `unix:/path`, or `fd:3` for a "
        "socket that systemd hands over. "
        "Empty: a socket below the data folder, behind nginx.",
    )
    hook_listen: str = Field(
        default="",
        description="Where nginx-rtmp's hooks arrive: `host:port`, `unix:/path` or `fd:4`; never "
        "public. "
        "Empty: a socket below the data folder.",
    )
    metrics_listen: str = Field(
        default="",
        description="Where Prometheus reads `/metrics`: `host:port` or `unix:/path`; never public. "
        "Empty: on the hook listener only.",
    )
    otlp_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^?#@]+)?$",
        description="An OpenTelemetry collector that takes traces as OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`. Empty: no traces.",
    )
    nginx_control: str = Field(
        default="",
        description="nginx-rtmp's /stat and /control: `http://host:port` or `unix:/path`. "
        "Empty: a socket below the data folder.",
    )
    player_log: Path | None = Field(
        default=None,
        description="Socket at which nginx tells what players say of their playback (CMCD). "
        "Empty: below the data folder.",
    )
    rtmp_pull_url: str = Field(
        default="rtmp://127.0.0.1:1935/live",
        description="nginx-rtmp's application as the session workers reach it, on loopback.",
    )
    public_http_listen: list[ListenAddress] = Field(
        default=["80", "[::]:80"],
        min_length=1,
        description="Where the installed HTTP nginx listens: `port` or `address:port`. "
        "`golive dev` has options for it.",
    )
    public_rtmp_listen: list[ListenAddress] = Field(
        default=["1935", "[::]:1935"],
        min_length=1,
        description="Where the installed RTMP nginx listens: `port` or `address:port`; the port of "
        "`rtmp_pull_url` must be among them, on loopback.",
    )
    public_https_listen: list[ListenAddress] = Field(
        default=["443", "[::]:443"],
        min_length=1,
        description="Where the installed HTTP nginx listens for HTTPS when there is a certificate. "
        "`golive dev` has an option for it.",
    )
    public_rtmps_listen: list[ListenAddress] = Field(
        default=["1936", "[::]:1936"],
        min_length=1,
        description="Where the installed RTMP nginx listens for RTMPS when there is a certificate. "
        "`golive dev` has an option for it.",
    )
    behind_nginx: bool = Field(
        default=True,
        description="Whether nginx stands in front and sends the media files itself.",
    )
    spool: bool = Field(
        default=True,
        description="Whether nginx-rtmp records each publication into the data folder's `spool`, "
        "so that a restart loses nothing. Off: workers pull, and a restart leaves a gap.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="`sqlite:///path` or `postgresql://user:password@host/name`. "
        "Empty: SQLite in the data folder.",
    )
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="`redis://host:port/db` or `rediss://…`, shared by several daemons: rooms, "
        "viewers, chat limits. Empty: in process.",
    )
    store_url: str = Field(
        default="",
        pattern=r"^(file:///.*|s3://[^/?#@]+(/[^?#]*)?)?$",
        description="Where recordings are kept: `file:///path` or `s3://bucket/prefix`. "
        "Empty: the data folder's `objects`.",
    )
    s3_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@]+/?)?$",
        description="The S3 server, such as `https://s3.us-west-004.backblazeb2.com`. "
        "Empty: Amazon's.",
    )
    s3_region: str = Field(default="", description="Its region, such as `us-west-004`.")
    s3_access_key_id: SecretStr = Field(
        default=SecretStr(""), description="The key that may write to the bucket: its id."
    )
    s3_secret_access_key: SecretStr = Field(
        default=SecretStr(""), description="The secret that belongs to the access key id."
    )
    s3_path_style: bool = Field(
        default=True,
        description="Whether the bucket stands in the path of URLs; off: in the host name.",
    )
    vod_base_url: str = Field(
        default="",
        description="What players put before `/vods/…`, a CDN's address mostly. "
        "Empty: the bucket's own URL, or the public URL when recordings are kept in a folder.",
    )
    auth_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Shared secret of the bearer tokens (HS256), 32 bytes or more. "
        "Empty: made at the first start and kept in the data folder.",
    )
    auth_jwks_url: str = Field(
        default="", description="Where the token issuer publishes its keys; replaces the secret."
    )
    auth_public_key_file: Path | None = Field(
        default=None, description="The token issuer's public key (PEM); replaces the secret."
    )
    auth_algorithm: JwtAlgorithm = Field(
        default="HS256", description="The one signature algorithm that is accepted."
    )
    auth_audience: str = Field(default="", description="Required `aud` claim; empty: not checked.")
    auth_issuer: str = Field(default="", description="Required `iss` claim; empty: not checked.")
    auth_leeway_s: float = Field(
        default=30.0, ge=0, le=300, description="Clock skew forgiven when `exp` and `nbf` are read."
    )
    key_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Keys the look-up hash and the encryption of stream keys at rest. "
        "Empty: made at the first start and kept in the data folder.",
    )
    failures_per_minute: int = Field(
        default=20,
        ge=1,
        json_schema_extra=RELOADED,
        description="Wrong tokens, and wrong stream keys, that one address may send in a minute "
        "before it is turned away for a while.",
    )
    playback_token_ttl_s: int = Field(
        default=900, ge=30, le=86_400, description="Life of a signed playback token."
    )
    cors_origins: list[str] = Field(
        default=["*"], description="Origins that may call the API from a page; `*` for any."
    )
    trusted_proxies: list[str] = Field(
        default=["127.0.0.1", "::1"],
        description="Addresses whose X-Forwarded-For is believed, and that may call the hooks.",
    )
    reconnect_grace_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        json_schema_extra=RELOADED,
        description="How long a stream whose encoder vanished waits for it before it ends.",
    )
    rehearsal_s: float = Field(
        default=1800.0,
        ge=10,
        le=86_400,
        description="How long a host may rehearse before a rehearsal ends by itself.",
    )
    part_target_s: float = Field(
        default=0.2, ge=0.1, le=2.0, description="Nominal duration of a Partial Segment."
    )
    segment_target_s: float = Field(
        default=2.0, ge=1.0, le=10.0, description="Nominal duration of a Media Segment."
    )
    dvr_window_s: float = Field(
        default=600.0,
        ge=0.0,
        description="How far back live players may seek, 12 at least; 0: to the stream's start.",
    )
    private_store_url: str = Field(
        default="",
        pattern=r"^(s3://[^/?#@]+(/[^?#]*)?)?$",
        description="Where recordings of streams for followers or neighbors are kept when the "
        "others are in a bucket: `s3://bucket/prefix` that nobody else may read, reached with the "
        "same endpoint and key. Empty: the data folder's `objects`.",
    )
    recordings_keep_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days after which recordings are deleted, unless a stream has a rule of its "
        "own; 0: never.",
    )
    recordings_max_gb: float = Field(
        default=0.0,
        ge=0,
        description="Room for all recordings, in gigabytes (10^9 bytes): beyond it the oldest are "
        "deleted; 0: no bound.",
    )
    unrecorded_save_h: float = Field(
        default=0.0,
        ge=0,
        le=720,
        description="For how many hours after its end the owner can still save a stream that was "
        "not to be recorded; its media stay on this machine for so long. 0: nothing is kept.",
    )
    space_steps_pct: tuple[float, float, float, float] = Field(
        default=(15.0, 10.0, 6.0, 3.0),
        description="Percent of the volume that is free when, one after the other, local copies "
        "and old media go, no new recording begins, no new encoder is let in, running recordings "
        "pause. Of large volumes at most 20, 10, 6 and 3 GiB.",
    )
    spool_dir: Path | None = Field(
        default=None,
        description="Where nginx-rtmp records publications; a volume of its own is best. "
        "Empty: the data folder's `spool`.",
    )
    session_budget: float = Field(
        default=0.0,
        ge=0,
        json_schema_extra=RELOADED,
        description="What all encoders together may cost; one too many is refused. "
        "0: 60 for each core.",
    )
    session_cost_passthrough: float = Field(
        default=1.0,
        gt=0,
        json_schema_extra=RELOADED,
        description="What an H.264 encoder costs of the budget.",
    )
    session_cost_pull: float = Field(
        default=6.0,
        gt=0,
        json_schema_extra=RELOADED,
        description="What an encoder costs that is pulled by a process of its own: HEVC, AV1, "
        "Opus, and every one without the spool.",
    )
    geo_database: Path | None = Field(
        default=None,
        description="A database in MaxMind's format (`.mmdb`) that tells countries by addresses, "
        "for the geography of a stream's viewers; read at the start. Empty: no geography.",
    )
    webrtc_viewers: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="The most viewers over WebRTC (WHEP) at once, of all streams; whoever comes "
        "then is sent to HLS. 0: no WebRTC playback.",
    )
    webrtc_viewers_per_stream: int = Field(
        default=30,
        ge=1,
        le=10_000,
        description="The same of one stream, whose viewers share one process.",
    )
    webrtc_connect_s: float = Field(
        default=10.0,
        ge=1,
        le=60,
        description="How long a WebRTC client may take from the answer to its first packet.",
    )
    webrtc_udp_ports: str = Field(
        default="",
        pattern=r"^(\d{1,5}-\d{1,5})?$",
        description="UDP ports for WebRTC, such as `50000-50999`: two for each viewer or publisher "
        "where the machine has IPv4 and IPv6. Empty: whichever are free.",
    )
    webrtc_public_addresses: list[str] = Field(
        default=[],
        description="The machine's addresses as the internet sees them, when NAT maps them one to "
        "one; offered for WebRTC beside its own.",
    )
    webrtc_ice_servers: list[str] = Field(
        default=[],
        description="STUN and TURN servers that WebRTC clients are told of: "
        "`stun:host:3478`, `turn:host:3478?transport=udp`.",
    )
    webrtc_turn_username: str = Field(default="", description="Who clients are to the TURN server.")
    webrtc_turn_credential: SecretStr = Field(
        default=SecretStr(""), description="The password that goes with the TURN user name."
    )
    webrtc_turn_secret: SecretStr = Field(
        default=SecretStr(""),
        description="The secret that is shared with the TURN server (coturn's "
        "`static-auth-secret`): each client gets a user name and a password for a day.",
    )
    thumbnail_interval_s: float = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="How often a live stream's picture is made anew; 0: never.",
    )
    clip_longest_s: float = Field(
        default=300.0, ge=1, le=3600, description="The longest clip that a host may cut."
    )
    clip_longest_exact_s: float = Field(
        default=60.0, ge=1, le=600, description="The same for clips that are cut at the very frame."
    )
    clips_per_stream: int = Field(
        default=100, ge=1, le=1000, description="How many clips a stream may have."
    )
    job_workers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Background jobs at once: of `golive worker`, and of the worker that the "
        "daemon keeps beside itself. 0: the daemon keeps none.",
    )
    job_lease_s: float = Field(
        default=12.0,
        ge=3.0,
        le=600.0,
        description="How long a job stays with a worker that is not heard of; then another one "
        "starts it again.",
    )
    job_time_limit_s: float = Field(
        default=7200.0, gt=0, description="The longest that one media job may take."
    )
    job_memory_mb: int = Field(
        default=3072, ge=512, description="The most memory that one media job's process may take."
    )
    media_max_bytes: int = Field(
        default=4_000_000_000, ge=1, le=5_000_000_000, description="The largest video to upload."
    )
    media_max_duration_s: float = Field(
        default=7200.0, gt=0, description="The longest uploaded video that is processed."
    )
    media_max_pixels: int = Field(
        default=36_000_000,
        ge=1,
        description="The most pixels that one picture of an uploaded video may have; 8K has 33 "
        "million.",
    )
    upload_url_ttl_s: int = Field(
        default=900, ge=10, le=86_400, description="How long the address for an upload is good."
    )
    webhook_allowed_networks: list[str] = Field(
        default=[],
        description="Networks that webhooks may be sent to although they are not public, such as "
        "`10.20.0.0/16`.",
    )
    webhook_timeout_s: float = Field(
        default=10.0, ge=0.1, le=30.0, description="How long a webhook's receiver may take."
    )
    fcm_credentials_file: Path | None = Field(
        default=None,
        description="The service account's key (JSON, from Firebase's console) that "
        "notifications to phones are sent with. Empty: none are.",
    )
    fcm_endpoint: str = Field(
        default="https://fcm.googleapis.com",
        pattern=r"^https?://[^/?#@]+/?$",
        description="Firebase Cloud Messaging.",
    )
    web_push_key_file: Path | None = Field(
        default=None,
        description="The P-256 key (PEM) that push services know this installation by. "
        "Empty: made from the key secret.",
    )
    web_push_contact: str = Field(
        default="",
        pattern=r"^((mailto:|https://)[^\s]+)?$",
        description="Whom push services may write to: `mailto:…` or `https://…`. Empty: the "
        "public URL, if it is https.",
    )
    web_push_allowed_networks: list[str] = Field(
        default=[],
        description="Networks that browsers' push services may be in although they are not public.",
    )
    push_timeout_s: float = Field(
        default=10.0, ge=0.1, le=30.0, description="How long a push service may take."
    )
    outreach_keep_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days after which what was sent is forgotten: webhooks' logs, notifications.",
    )
    addresses_keep_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="Days after which the database forgets the address of an encoder that has "
        "gone; 0: within the hour. No other address is kept there.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", json_schema_extra=RELOADED, description="The least that is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, JSON otherwise."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML and environment have no word for None: it is an empty string."""
        field = cls.model_fields[info.field_name or ""]
        return None if field.default is None and value == "" else value

    @field_validator("space_steps_pct")
    @classmethod
    def _one_after_the_other(
        cls, value: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float]:
        if list(value) != sorted(value, reverse=True) or not 0 <= value[-1] <= value[0] < 100:  # noqa: PLR2004
            raise ValueError("four percents, each at most the one before")
        return value

    @field_validator(
        "public_url", "vod_base_url", "rtmp_url", "rtmp_pull_url", "s3_endpoint", "fcm_endpoint"
    )
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("webrtc_udp_ports")
    @classmethod
    def _a_range(cls, value: str) -> str:
        if value:
            first, last = map(int, value.split("-"))
            if not 1024 <= first <= last <= 65_535:  # noqa: PLR2004
                raise ValueError("two ports from 1024 to 65535, the lower one first")
        return value

    @field_validator("webrtc_ice_servers")
    @classmethod
    def _ice_urls(cls, value: list[str]) -> list[str]:
        for url in value:
            if not _ICE_URL.fullmatch(url):
                raise ValueError("each must be such as stun:host:3478 or turn:host:3478")
        return value

    @field_validator("webrtc_public_addresses")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            ipaddress.ip_address(address)
        return value

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both, or neither")
        return self

    @field_validator("dvr_window_s")
    @classmethod
    def _long_enough(cls, value: float) -> float:
        if 0 < value < _SHORTEST_DVR_WINDOW_S:
            raise ValueError(f"must be 0, or {_SHORTEST_DVR_WINDOW_S:g} at least")
        return value

    @property
    def vod_base(self) -> str:
        """What stands before `/vods/…`, as a URL."""
        return self.vod_base_url or self.bucket_url or self.public_url

    @property
    def private_vod_base(self) -> str:
        """The same for streams that not everybody may play: their token is checked here."""
        return self.public_url if self.bucket_url else self.vod_base

    @property
    def spool_folder(self) -> Path:
        """Where nginx-rtmp records publications, absolute."""
        return (self.spool_dir or self.data_dir / "spool").absolute()

    @property
    def bucket_url(self) -> str:
        """Where the bucket's objects are read by whoever may; empty without a bucket."""
        return self._url_of(self.store_url)

    @property
    def private_bucket_url(self) -> str:
        """Where players are redirected to for what not everybody may play; empty without one."""
        return self._url_of(self.private_store_url) if self.bucket_url else ""

    def _url_of(self, store_url: str) -> str:
        if not store_url.startswith("s3://"):
            return ""
        bucket, _, prefix = store_url.removeprefix("s3://").partition("/")
        at = self.s3_endpoint or f"https://s3.{self.s3_region or 'us-east-1'}.amazonaws.com"
        scheme, _, host = at.partition("://")
        base = f"{at}/{bucket}" if self.s3_path_style else f"{scheme}://{bucket}.{host}"
        return f"{base}/{prefix}".rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then what was read from files."""
        files = InitSettingsSource(settings_cls, init_kwargs=dict(cls.file_values))
        return (init_settings, files) if cls.files_only else (init_settings, env_settings, files)


def settings_from(
    file_values: Mapping[str, Any], *, files_only: bool = False, **overrides: object
) -> Settings:
    """Settings from `file_values`, the environment above them (unless `files_only`), explicit
    overrides above that.

    pydantic.ValidationError names what is wrong.
    """
    sources = {"file_values": file_values, "files_only": files_only}
    configured = type("ConfiguredSettings", (Settings,), sources)
    settings: Settings = configured(**overrides)
    return settings


def load_settings(config_file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `config_file` (TOML; may be None), the environment and explicit overrides."""
    values = {} if config_file is None else tomllib.loads(config_file.read_text("utf-8"))
    return settings_from(values, **overrides)
