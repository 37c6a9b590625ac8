"""Configuration of every service: one model, one file a process.

The sections ``auth`` … ``logging`` are the operator's gateway configuration file; the others are
rendered by the deployment. ``llm-gateway serve`` runs without any file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from llm_platform.core.config.prices import Currency, Prices, Rates, ShortPrice, refuse_unknown_currencies
from llm_platform.core.config.values import (
    AddressRange,
    BaseUrl,
    CollectorUrl,
    HeaderName,
    IssuerUrl,
    ModelName,
    Origin,
    RedisUrl,
    SecretPattern,
    WebhookSecret,
    WebhookUrl,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Section):
    """Who this process is."""

    name: str = "standalone"
    version: str = "0.1.0"
    environment: Literal["dev", "staging", "prod"] = "dev"
    replica: str = Field("standalone-1", description="The container's name, e.g. tail-1.")
    data_dir: Path = Field(Path(".state"), description="Where embedded stores and journals live.")
    catalog: Path | None = Field(None, description="deploy/catalog.yml as released; default: the checkout's.")


class Auth(_Section):
    mode: Literal["gateway", "client", "hybrid"] = "gateway"
    allow_client_keys: bool = False
    require_auth_header: bool = Field(True, description="false opens this entry to anyone, with a loud warning.")
    key_cache_seconds: float = Field(5.0, ge=0, le=60, description="The longest a revoked key may live in a cache.")


class Provider(_Section):
    type: Literal["openai", "echo"] = "openai"
    enabled: bool = True
    api_key: SecretStr | None = Field(None, description="Better kept in secrets: llm/NAME/api_key.")
    base_url: BaseUrl = "https://api.openai.com/v1"
    timeout: int = Field(30_000, gt=0, description="Milliseconds to the first byte and between chunks.")
    retry_count: int = Field(2, ge=0, le=10)
    models: dict[str, str] | list[str] = Field(
        default_factory=list, description="Models served: names, or public name -> the provider's own name."
    )
    weight: int = Field(1, ge=0)
    priority: int = Field(0, description="Lower is tried first.")


class Routing(_Section):
    strategy: Literal["round_robin", "performance", "cost_optimized"] = "round_robin"
    failover_enabled: bool = True
    default_model: ModelName = "echo"


class Cache(_Section):
    enabled: bool = False
    ttl: int = Field(3600, gt=0, description="Seconds.")
    max_size: int = Field(1000, gt=0)


class Security(_Section):
    cors_enabled: bool = Field(True, description="false: cors_origins is not looked at.")
    cors_origins: list[Origin] = Field([], description="scheme://host[:port] of each, or *.")
    rate_limiting_enabled: bool = Field(True, description="false: no limit of requests, tokens or concurrency holds.")
    rate_limit_rpm: int = Field(
        0, ge=0, description="Requests a minute for keys without a limit of their own; 0: none."
    )
    api_key_header: HeaderName = "X-API-Key"
    trusted_proxies: list[AddressRange] = Field(
        [], description="CIDR ranges of proxies whose X-Forwarded-For is believed, for keys bound to addresses."
    )


class Logging(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"
    output: str = Field("stdout", description="stdout, stderr, a file's path, or file: DATA_DIR/REPLICA.log.")
    include_request_id: bool = True
    include_provider_info: bool = True


class Listen(_Section):
    """Addresses this process listens on. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    http: int = Field(8080, ge=0, le=65535, description="Public API (tail, gateway, serve) or health and metrics.")
    grpc: int | None = Field(None, ge=0, le=65535)
    control: int | None = Field(None, ge=0, le=65535, description="model-proxy only: providers, health, reload.")


class Tls(_Section):
    """Certificates for mTLS between services. Read again when the files change."""

    certificate: Path
    key: Path
    authority: Path = Field(description="PEM bundle; two roots during a change of CA.")
    trust_domain: str


Role = Literal["owner", "admin", "billing_viewer", "developer", "read_only"]


class SignIn(_Section):
    """Signing in at the dashboards (docs/sign-in.md)."""

    session_idle_seconds: int = Field(3600, ge=300, description="A session that is not used for so long ends.")
    session_seconds: int = Field(43_200, ge=300, description="A session ends after so long, however it is used.")
    lock_after: int = Field(5, ge=1, description="Failed logins of an account until it waits, each time twice as long.")
    lock_source_after: int = Field(30, ge=1, description="The same for an address that logins come from.")


class Oidc(_Section):
    """Signing in at an identity provider by OpenID Connect (docs/sign-in.md)."""

    issuer: IssuerUrl = Field(description="As the provider names itself, e.g. https://id.example.com/realms/staff")
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = Field(None, description="None: a public client, which PKCE alone protects.")
    redirect_uris: list[str] = Field(default_factory=list, description="Addresses of the dashboards to come back to.")
    scopes: list[str] = ["openid", "profile", "email"]
    authority: Path | None = Field(None, description="PEM bundle that its certificate is checked with.")
    groups_claim: str = Field("groups", description="Of the ID token: a list of groups.")
    roles: dict[str, Role] = Field(
        default_factory=dict, description="Group -> role, looked up at each login; of several the most powerful."
    )
    default_role: Role | None = Field(None, description="Without such a group. None: refused.")
    create_users: bool = Field(False, description="Whether somebody unknown becomes a user at the first login.")
    organization: str = Field("org_platform", description="The organisation, by id, that new users belong to.")


class Dashboard(_Section):
    """admin-dashboard and user-dashboard."""

    public_url: BaseUrl | None = Field(
        None, description="How browsers reach this one, https://admin.example.com. None: without TLS, as they say."
    )
    other_url: BaseUrl | None = Field(
        None, description="How they reach the other one. None: the same host, its own port (3000, 3001)."
    )
    entries: dict[Literal["tail", "gateway"], BaseUrl] = Field(
        {"tail": "http://127.0.0.1:8000"},
        min_length=1,
        description="How this process reaches the entries. The playground calls the first.",
    )
    shown_entry_url: BaseUrl | None = Field(
        None, description="The entry as programs reach it, for snippets. None: the same host, port 8000."
    )
    web_root: Path | None = Field(None, description="The built pages. Default: the checkout's services/web.")


class Traffic(_Section):
    """Bounds on requests."""

    max_concurrent_requests: int = Field(100, gt=0)
    max_body_bytes: int = Field(32 * 1024 * 1024, gt=0)
    request_timeout: int = Field(30_000, gt=0, description="Milliseconds to the first byte and of silence.")
    stream_max_seconds: int = Field(600, gt=0)
    drain_seconds: int = Field(600, ge=0, description="How long a stopping service waits for open requests.")
    default_output_tokens: int = Field(4096, gt=0, description="Reserved when a call names no max_tokens.")
    requests_per_minute: int = Field(0, ge=0)
    tokens_per_minute: int = Field(0, ge=0)
    concurrency: int = Field(0, ge=0)
    requests_burst: int = Field(0, ge=0, description="Requests of a key that may come at once; 0: a full minute's.")
    tokens_burst: int = Field(0, ge=0, description="Tokens of a key that may be used at once; 0: a full minute's.")


class Limit(_Section):
    """Limits of all calls together of a model or to a provider; 0: none."""

    requests_per_minute: int = Field(0, ge=0, lt=2**32)
    tokens_per_minute: int = Field(0, ge=0, le=10**12)
    concurrency: int = Field(0, ge=0, lt=2**32)
    requests_burst: int = Field(0, ge=0, lt=2**32, description="What may come at once; 0: a full minute's.")
    tokens_burst: int = Field(0, ge=0, le=60 * 10**12, description="What may be used at once; 0: a full minute's.")


class Limits(_Section):
    """Limits beside those of keys, users, teams and organisations (docs/limits.md)."""

    models: dict[str, Limit] = Field(
        default_factory=dict,
        description="Public name -> requests_per_minute, tokens_per_minute, concurrency, requests_burst, tokens_burst.",
    )
    providers: dict[str, Limit] = Field(default_factory=dict, description="Name -> the same keys.")


class Notifications(_Section):
    """The webhook that is told when a budget reaches a threshold (docs/money.md)."""

    url: WebhookUrl = Field(description="https://HOST/PATH")
    secret: WebhookSecret = Field(description="What the notifications are signed with, 16 characters or more.")


class Billing(_Section):
    unknown_price: Literal["refuse", "free", "default"] = Field(
        "refuse", description="What happens to a model without a price; free and default are flagged on every entry."
    )
    default_price: ShortPrice | None = Field(None, description="Of such a model: [input, output], as in prices.")
    prices: dict[str, Prices] = Field(
        default_factory=dict,
        description="Own prices, PROVIDER/MODEL: [input, output], in pico-dollars a token; or a list of {from: DAY, "
        "input, output, cached_input, cache_write, input_audio, reasoning, output_audio, request, currency}.",
    )
    currencies: dict[Currency, Rates] = Field(
        default_factory=dict, description="Fixed rates of other currencies, EUR: [{from: DAY, usd: 1.08}]."
    )
    uncertain_share: float = Field(
        1.0, ge=0, le=1, description="Share of the reservation charged for a call whose outcome is unknown."
    )
    hold_margin_seconds: int = Field(
        120, ge=1, description="A reservation whose call left no trace is freed this long after the longest stream."
    )
    strict_budgets: bool = Field(False, description="Refuse calls without max_tokens when the key has a budget.")
    retention_days: int = Field(
        400, ge=35, le=36_500, description="`ledger archive remove` never removes an entry that is younger."
    )
    notifications: Notifications | None = None

    @model_validator(mode="after")
    def _prices_can_be_known(self) -> Billing:
        if (self.unknown_price == "default") != (self.default_price is not None):
            raise PydanticCustomError("odd_value", "needs unknown_price: default and a default_price, or neither")
        refuse_unknown_currencies(self.prices, self.currencies)
        return self


class Telemetry(_Section):
    enabled: bool = False
    service_name: str | None = Field(None, description="Default: service.name.")
    endpoint: CollectorUrl | None = Field(
        None, description="OTLP over HTTP, e.g. http://127.0.0.1:4318; file:///PATH appends spans as JSON lines."
    )
    sample_ratio: float = Field(0.01, ge=0, le=1)


class Stores(_Section):
    """Where state lives; default: files under ``service.data_dir``."""

    accounts_url: str | None = Field(
        None,
        description="E.g. postgresql+asyncpg://USER:PASSWORD@HOST/NAME?sslmode=verify-full&sslrootcert=/PATH/ca.pem",
    )
    ledger_url: str | None = None
    routing_url: str | None = Field(
        None, description="Of head: routing rules and definitions of providers. none: the file's only."
    )
    database_connections: int = Field(
        5, ge=1, le=100, description="The most that one process holds to a PostgreSQL server; billing holds one more."
    )
    secrets_key: SecretStr | None = Field(None, description="Base64 of 32 bytes. Default: a key file, made once.")
    secrets_key_file: Path | None = None
    secrets_key_previous: SecretStr | None = Field(
        None, description="The key before secrets_key, until `secrets rotate-key` has sealed all of the store anew."
    )
    secrets_key_previous_file: Path | None = None
    secrets_sealed: bool = Field(False, description="The store starts sealed: `llm-gateway secrets unseal` opens it.")
    secrets_passphrase_file: Path | None = Field(
        None, description="Opens a sealed store at the start, e.g. from a tmpfs. Default: an operator does."
    )
    limits_url: RedisUrl | None = Field(
        None, description="redis://[USER:PASSWORD@]HOST[:PORT][/DB] or rediss:// (TLS); default: in memory."
    )
    limits_authority: Path | None = Field(
        None, description="PEM bundle that vouches for the Redis of a rediss:// URL. Default: the system's."
    )
    limits_connections: int = Field(16, ge=1, le=1000, description="The most connections of a process to that Redis.")
    bootstrap_file: Path | None = Field(None, description="Where the first admin password and key are written, once.")


class SecretsRule(_Section):
    """What one service may do: paths, PREFIX/** or **."""

    read: list[SecretPattern] = Field([], description="Values.")
    write: list[SecretPattern] = Field([], description="Put, rotate, describe, disable, delete.")
    see: list[SecretPattern] = Field([], description="All but the value; whoever may read may see.")


class Secrets(_Section):
    """secrets-service, whatever its store (docs/secrets.md)."""

    policy: dict[str, SecretsRule] = Field(
        default_factory=dict, description="Service -> what it may, in place of its default (docs/secrets.md)."
    )
    rotation_overlap: int = Field(
        3600, ge=0, le=2_592_000, description="Seconds that a replaced key stays valid unless the rotation says."
    )
    reminder_days: int = Field(14, ge=0, le=365, description="How long before expires_at the log reminds of it.")
    audit_file_mb: int = Field(64, ge=1, le=10_000, description="The audit log is renamed when it is so large.")
    audit_files: int = Field(10, ge=1, le=1000, description="Renamed audit logs that are kept.")


class Vault(_Section):
    """HashiCorp Vault or OpenBao, KV version 2, in place of the embedded store of secrets (docs/secrets.md)."""

    address: BaseUrl = Field(description="https://HOST:8200")
    authority: Path | None = Field(None, description="PEM bundle that its certificate is checked with.")
    namespace: str | None = None
    mount: Annotated[str, Field(min_length=1)] = Field("secret", description="Where the KV engine is mounted.")
    prefix: str = Field("llm-platform", description="The folder all secrets are below.")
    auth_mount: Annotated[str, Field(min_length=1)] = Field("approle", description="Where AppRole is mounted.")
    role_id: str | None = None
    secret_id: SecretStr | None = None
    secret_id_file: Path | None = Field(None, description="Read at each login, so a new one needs no restart.")
    secret_id_wrapped: bool = Field(False, description="The secret id is a wrapping token, unwrapped once.")
    token: SecretStr | None = Field(None, description="Instead of role_id and a secret id.")
    timeout: int = Field(3000, ge=100, le=4000, description="Milliseconds that a call waits for Vault at most.")
    cache_seconds: int = Field(
        300, ge=0, le=86_400, description="How long values read before are given out while Vault is away."
    )


class Config(_Section):
    """The whole configuration of one process."""

    service: Service = Service()
    auth: Auth = Auth()
    providers: dict[str, Provider] = {"echo": Provider(type="echo", models=["echo"])}
    routing: Routing = Routing()
    cache: Cache = Cache()
    security: Security = Security()
    logging: Logging = Logging()
    listen: Listen = Listen()
    tls: Tls | None = None
    peers: dict[str, list[str]] = Field(default_factory=dict, description="Service -> host:port of each replica slot.")
    sign_in: SignIn = SignIn()
    oidc: Oidc | None = None
    dashboard: Dashboard = Dashboard()
    traffic: Traffic = Traffic()
    limits: Limits = Limits()
    billing: Billing = Billing()
    telemetry: Telemetry = Telemetry()
    stores: Stores = Stores()
    secrets: Secrets = Secrets()
    vault: Vault | None = None
