"""Every metric of the platform, in one place, so that names and labels stay consistent and bounded.

No user, key, prompt or request id is ever a label. On the request path keep a child
(``requests.labels(...)``) instead of looking it up each time. ``service`` tells apart the services
of one process (``llm-gateway serve``). Times are seconds.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left

import prometheus_client
from prometheus_client import REGISTRY, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from llm_platform.core.config import Config

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The text format that Prometheus 2.53 and 3 both read."""

# A second series for each counter, which nothing here reads.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it untyped


class Histogram(prometheus_client.Histogram):
    """Observes at a third of the library's cost, which is paid several times a request: it bisects for the bucket and
    has no check for labels, since every use here is of a child."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        if exemplar is not None:
            super().observe(amount, exemplar)
            return
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
CALL_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

# --- every service on the request path -----------------------------------------------------------
requests = Counter("llm_requests_total", "Requests ended, by outcome.", ["service", "dialect", "stream", "status"])
request_duration = Histogram(
    "llm_request_duration_seconds",
    "From the request's arrival to its last byte.",
    ["service", "stream"],
    buckets=REQUEST_SECONDS,
)
time_to_first_token = Histogram(
    "llm_time_to_first_token_seconds",
    "From the request's arrival to the first byte of the answer's body.",
    ["service"],
    buckets=REQUEST_SECONDS,
)
errors = Counter("llm_errors_total", "Requests that failed, by whose fault and why.", ["service", "fault", "code"])
requests_open = Gauge("llm_requests_open", "Requests under way.", ["service"])
tokens = Counter("llm_tokens_total", "Tokens, as the provider counted them or as estimated.",
                 ["provider", "model", "type", "certainty"])  # fmt: skip
cost = Counter("llm_cost_dollars_total", "Cost settled in the ledger, in US dollars.", ["provider", "model"])

# --- gateway ----------------------------------------------------------------------------------------
gateway_requests = Counter("gateway_requests_total", "Requests ended at the gateway.", ["route", "status"])
gateway_request_duration = Histogram(
    "gateway_request_duration_seconds", "Duration of the gateway's requests.", ["route"], buckets=REQUEST_SECONDS
)
gateway_provider_requests = Counter(
    "gateway_provider_requests_total", "Requests of the gateway by the provider that answered.", ["provider", "status"]
)
gateway_cache_hits = Counter("gateway_cache_hits_total", "Answers served from the response cache.")
gateway_errors = Counter("gateway_errors_total", "Requests of the gateway that failed.", ["code", "fault"])

# --- gRPC -------------------------------------------------------------------------------------------
grpc_handled = Counter(
    "grpc_server_handled_total", "RPCs completed on the server.", ["grpc_service", "grpc_method", "grpc_code"]
)
grpc_handling = Histogram(
    "grpc_server_handling_seconds", "Time to answer an RPC.", ["grpc_service", "grpc_method"], buckets=CALL_SECONDS
)
grpc_refused = Counter("grpc_server_refused_total", "RPCs refused by the allow-list.", ["grpc_method", "caller"])
grpc_client_failures = Counter("grpc_client_failures_total", "RPCs that failed at the caller.", ["provider", "code"])

# --- relay ------------------------------------------------------------------------------------------
relay_links = Gauge("llm_relay_links", "Links of the relay by state.", ["peer", "state"])
relay_requests_open = Gauge("llm_relay_requests_open", "Requests open on the relay's links.", ["peer"])
relay_frames = Counter("llm_relay_frames_total", "Frames over the relay.", ["direction"])
relay_batches = Counter("llm_relay_batches_total", "Messages over the relay; each carries many frames.", ["direction"])
relay_bytes = Counter("llm_relay_bytes_total", "Bytes over the relay.", ["direction"])
relay_reconnects = Counter("llm_relay_reconnects_total", "Links that were made again.", ["peer"])
relay_retries = Counter("llm_relay_retries_total", "Requests moved to another replica before the first byte.", ["peer"])
relay_round_trip = Gauge("llm_relay_round_trip_seconds", "The last ping's round trip.", ["peer"])

# --- head: decisions ----------------------------------------------------------------------------------
decisions = Counter("llm_decisions_total", "Routing decisions.", ["type", "provider"])
fallbacks = Counter("llm_fallbacks_total", "Requests that went to the fallback.", ["provider"])

# --- model-proxy: providers and the journal -------------------------------------------------------------
provider_requests = Counter("llm_provider_requests_total", "Calls to providers.", ["provider", "status"])
provider_duration = Histogram(
    "llm_provider_duration_seconds", "Duration of calls to providers.", ["provider"], buckets=REQUEST_SECONDS
)
provider_key_fallbacks = Counter(
    "llm_provider_key_fallbacks_total",
    "Calls sent again with another key, after the provider refused one.",
    ["provider"],
)
provider_retries = Counter("llm_provider_retries_total", "Calls to providers that were sent again.", ["provider"])
provider_healthy = Gauge("llm_provider_healthy", "1 when the provider takes requests.", ["provider"])
provider_circuit_open = Gauge("llm_provider_circuit_open", "1 while the circuit breaker is open.", ["provider"])
journal_backlog = Gauge("llm_journal_backlog", "Outcomes journalled and not yet acknowledged by billing.")
journal_oldest = Gauge("llm_journal_oldest_seconds", "Age of the oldest outcome not yet acknowledged.")
journal_batch_size = Histogram("llm_journal_batch_size", "Records made durable by one fsync.", buckets=BATCH_SIZES)
journal_fsync = Histogram("llm_journal_fsync_seconds", "Time of one group fsync.", buckets=CALL_SECONDS)
outcomes_delivered = Counter("llm_outcomes_delivered_total", "Deliveries of outcomes to billing.", ["result"])

# --- billing ------------------------------------------------------------------------------------------
ledger_batch_size = Histogram("llm_ledger_batch_size", "Items in one commit.", ["operation"], buckets=BATCH_SIZES)
ledger_commit = Histogram("llm_ledger_commit_seconds", "Time of one commit.", ["operation"], buckets=CALL_SECONDS)
ledger_entries = Counter("llm_ledger_entries_total", "Entries appended.", ["kind", "certainty"])
ledger_refusals = Counter("llm_ledger_refusals_total", "Reservations refused.", ["code"])
ledger_open_reservations = Gauge("llm_ledger_open_reservations", "Reservations neither settled nor released.")
ledger_expired = Counter("llm_ledger_expired_total", "Reservations released by the sweeper.")
ledger_reserved = Counter("llm_ledger_reserved_dollars_total", "Reserved, in US dollars.")
ledger_overrun = Counter("llm_ledger_overrun_dollars_total", "Settled above the reservation, in US dollars.")
ledger_retries = Counter("llm_ledger_retries_total", "Transactions repeated after a conflict.", ["reason"])

budget_thresholds = Counter("llm_budget_thresholds_total", "Thresholds of budgets reached.", ["scope", "period"])
notifications = Counter("llm_notifications_total", "Notifications of budgets, by what became of them.", ["result"])

# --- auth-service, rate-limiter, secrets-service --------------------------------------------------------
authentications = Counter("llm_authentications_total", "Key look-ups by result.", ["result"])
key_cache = Counter("llm_key_cache_total", "Key look-ups at the entry: hit or miss.", ["result"])
logins = Counter("llm_logins_total", "Logins by method and result.", ["method", "result"])
lockouts = Counter(
    "llm_login_lockouts_total", "Logins not tried because of failures before, by what is locked.", ["of"]
)
sessions = Gauge("llm_sessions", "Sessions of people that have not ended.")
tokens_issued = Counter("llm_actor_tokens_total", "Tokens asked for, by what for and result.", ["method", "result"])
audit_lost = Counter("llm_audit_entries_lost_total", "Audit entries that could not be delivered to auth-service.")
limiter_decisions = Counter(
    "llm_limiter_decisions_total", "Allowed, or which limit of which scope refused.", ["decision", "scope"]
)
limiter_leases = Gauge("llm_limiter_leases", "Requests that hold a place in a concurrency limit.")
limiter_subjects = Gauge("llm_limiter_subjects", "Keys, users, teams and so on that the limiter keeps state of.")
limiter_degraded = Gauge("llm_limiter_degraded", "1 while limits are not exact, by policy.")
secret_accesses = Counter("llm_secret_accesses_total", "Accesses to secrets.", ["operation", "result"])
secrets_expiring = Gauge("llm_secrets_expiring", "Secrets whose expires_at is near, or past.", ["state"])
secrets_sealed = Gauge("llm_secrets_sealed", "1 while the embedded store of secrets is sealed.")

# --- admin-dashboard, user-dashboard ---------------------------------------------------------------------
dashboard_requests = Counter("llm_dashboard_requests_total", "Requests of pages.", ["method", "route", "status"])
dashboard_seconds = Histogram(
    "llm_dashboard_request_seconds", "Time to answer a page's request.", ["route"], buckets=CALL_SECONDS
)

# --- every process ------------------------------------------------------------------------------------
ready = Gauge("llm_ready", "1 when the process takes requests.")
draining = Gauge("llm_draining", "1 while the process finishes what is open before it stops.")
dependency_up = Gauge("llm_dependency_up", "1 when the dependency can be used.", ["dependency"])
event_loop_lag = Histogram(
    "llm_event_loop_lag_seconds",
    "How late the event loop runs a timer.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
certificate_expiry = Gauge("llm_certificate_expiry_seconds", "Unix time at which the own mTLS certificate expires.")
log_lines_lost = Gauge("llm_log_lines_lost", "Log lines that could not be written.")
build_info = Gauge("llm_build_info", "Always 1; says what runs.", ["service", "version", "environment"])
start_time = Gauge("llm_start_time_seconds", "Unix time at which the process was configured.")


class BoundedLabel:
    """Keeps a label's values few: the first ``limit`` distinct values pass, later ones read ``other``.

    For names that come from outside, such as a model's.
    """

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._seen:
            return value
        if len(self._seen) < self._limit:
            self._seen.add(value)
            return value
        return "other"


model_label = BoundedLabel()
"""For the label ``model`` of any metric."""


def describe_process(config: Config) -> None:
    """Sets what is known once, at the start."""
    service = config.service
    build_info.labels(service.name, service.version, service.environment).set(1)
    start_time.set_to_current_time()


def exposition() -> bytes:
    """All metrics in the text format."""
    from llm_platform.core import logging

    log_lines_lost.set(logging.lines_lost())
    return generate_latest(REGISTRY)


async def observe_event_loop(interval: float = 0.25) -> None:
    """Measures the event loop's lag until cancelled."""
    while True:
        due = time.perf_counter() + interval
        await asyncio.sleep(interval)
        event_loop_lag.observe(max(0.0, time.perf_counter() - due))
