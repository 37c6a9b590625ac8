from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reserve(_message.Message):
    __slots__ = ("reservation_id", "request_id", "key_id", "user_id", "provider", "model", "prompt_tokens_bound", "max_output_tokens", "default_output_tokens", "entry", "team_id", "organization_id", "provider_api")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_BOUND_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_API_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    prompt_tokens_bound: int
    max_output_tokens: int
    default_output_tokens: int
    entry: str
    team_id: str
    organization_id: str
    provider_api: str
    def __init__(self, reservation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., prompt_tokens_bound: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., default_output_tokens: _Optional[int] = ..., entry: _Optional[str] = ..., team_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., provider_api: _Optional[str] = ...) -> None: ...

class ReserveBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Reserve]
    def __init__(self, items: _Optional[_Iterable[_Union[Reserve, _Mapping]]] = ...) -> None: ...

class ReserveReply(_message.Message):
    __slots__ = ("error", "amount")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    error: _common_pb2.Error
    amount: int
    def __init__(self, error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ..., amount: _Optional[int] = ...) -> None: ...

class ReserveReplies(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ReserveReply]
    def __init__(self, items: _Optional[_Iterable[_Union[ReserveReply, _Mapping]]] = ...) -> None: ...

class ReleaseBatch(_message.Message):
    __slots__ = ("reservation_ids",)
    RESERVATION_IDS_FIELD_NUMBER: _ClassVar[int]
    reservation_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, reservation_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("attempt_id", "reservation_id", "kind", "usage", "status", "result", "final", "provider", "model", "sent_at", "key_id", "user_id", "request_id", "team_id", "organization_id", "not_archived", "first_byte_us", "duration_us", "provider_request_id", "provider_api")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    NOT_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_API_FIELD_NUMBER: _ClassVar[int]
    attempt_id: str
    reservation_id: str
    kind: str
    usage: _common_pb2.Usage
    status: int
    result: str
    final: bool
    provider: str
    model: str
    sent_at: str
    key_id: str
    user_id: str
    request_id: str
    team_id: str
    organization_id: str
    not_archived: bool
    first_byte_us: int
    duration_us: int
    provider_request_id: str
    provider_api: str
    def __init__(self, attempt_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., kind: _Optional[str] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., status: _Optional[int] = ..., result: _Optional[str] = ..., final: _Optional[bool] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., sent_at: _Optional[str] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ..., request_id: _Optional[str] = ..., team_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., not_archived: _Optional[bool] = ..., first_byte_us: _Optional[int] = ..., duration_us: _Optional[int] = ..., provider_request_id: _Optional[str] = ..., provider_api: _Optional[str] = ...) -> None: ...

class OutcomeBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Outcome]
    def __init__(self, items: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ...) -> None: ...

class RecordReply(_message.Message):
    __slots__ = ("recorded", "known")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    known: int
    def __init__(self, recorded: _Optional[int] = ..., known: _Optional[int] = ...) -> None: ...

class UsageQuery(_message.Message):
    __slots__ = ("key_id", "since", "until", "by", "time_zone", "user_id", "team_id", "organization_id", "provider", "model", "order", "limit", "cursor")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    since: str
    until: str
    by: _containers.RepeatedScalarFieldContainer[str]
    time_zone: str
    user_id: str
    team_id: str
    organization_id: str
    provider: str
    model: str
    order: str
    limit: int
    cursor: str
    def __init__(self, key_id: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., by: _Optional[_Iterable[str]] = ..., time_zone: _Optional[str] = ..., user_id: _Optional[str] = ..., team_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class UsageRow(_message.Message):
    __slots__ = ("key_id", "model", "provider", "requests", "usage", "cost", "day", "user_id", "team_id", "organization_id", "adjusted")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    model: str
    provider: str
    requests: int
    usage: _common_pb2.Usage
    cost: int
    day: str
    user_id: str
    team_id: str
    organization_id: str
    adjusted: int
    def __init__(self, key_id: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., requests: _Optional[int] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., cost: _Optional[int] = ..., day: _Optional[str] = ..., user_id: _Optional[str] = ..., team_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., adjusted: _Optional[int] = ...) -> None: ...

class UsageReport(_message.Message):
    __slots__ = ("rows", "cursor")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[UsageRow]
    cursor: str
    def __init__(self, rows: _Optional[_Iterable[_Union[UsageRow, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("sequence", "kind", "reservation_id", "attempt_id", "key_id", "provider", "model", "amount", "certainty", "usage", "result", "price_revision", "created_at", "request_id", "status", "sent_at", "first_byte_us", "duration_us", "provider_request_id", "user_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PRICE_REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: str
    reservation_id: str
    attempt_id: str
    key_id: str
    provider: str
    model: str
    amount: int
    certainty: str
    usage: _common_pb2.Usage
    result: str
    price_revision: str
    created_at: str
    request_id: str
    status: int
    sent_at: str
    first_byte_us: int
    duration_us: int
    provider_request_id: str
    user_id: str
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[str] = ..., reservation_id: _Optional[str] = ..., attempt_id: _Optional[str] = ..., key_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., amount: _Optional[int] = ..., certainty: _Optional[str] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., result: _Optional[str] = ..., price_revision: _Optional[str] = ..., created_at: _Optional[str] = ..., request_id: _Optional[str] = ..., status: _Optional[int] = ..., sent_at: _Optional[str] = ..., first_byte_us: _Optional[int] = ..., duration_us: _Optional[int] = ..., provider_request_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class EntriesQuery(_message.Message):
    __slots__ = ("after", "limit", "kind", "request_id")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    after: int
    limit: int
    kind: str
    request_id: str
    def __init__(self, after: _Optional[int] = ..., limit: _Optional[int] = ..., kind: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class EntryPage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, items: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("key_id", "limit", "spent", "reserved")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    limit: int
    spent: int
    reserved: int
    def __init__(self, key_id: _Optional[str] = ..., limit: _Optional[int] = ..., spent: _Optional[int] = ..., reserved: _Optional[int] = ...) -> None: ...

class Budgets(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Budget]
    def __init__(self, items: _Optional[_Iterable[_Union[Budget, _Mapping]]] = ...) -> None: ...

class ScopedBudget(_message.Message):
    __slots__ = ("scope", "scope_id", "period", "enforcement", "limit", "time_zone", "thresholds", "organization_id", "budget_id", "etag", "spent", "reserved", "remaining", "window_starts_at", "window_ends_at", "updated_at", "updated_by")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    WINDOW_STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    scope: str
    scope_id: str
    period: str
    enforcement: str
    limit: int
    time_zone: str
    thresholds: _containers.RepeatedScalarFieldContainer[int]
    organization_id: str
    budget_id: str
    etag: str
    spent: int
    reserved: int
    remaining: int
    window_starts_at: str
    window_ends_at: str
    updated_at: str
    updated_by: str
    def __init__(self, scope: _Optional[str] = ..., scope_id: _Optional[str] = ..., period: _Optional[str] = ..., enforcement: _Optional[str] = ..., limit: _Optional[int] = ..., time_zone: _Optional[str] = ..., thresholds: _Optional[_Iterable[int]] = ..., organization_id: _Optional[str] = ..., budget_id: _Optional[str] = ..., etag: _Optional[str] = ..., spent: _Optional[int] = ..., reserved: _Optional[int] = ..., remaining: _Optional[int] = ..., window_starts_at: _Optional[str] = ..., window_ends_at: _Optional[str] = ..., updated_at: _Optional[str] = ..., updated_by: _Optional[str] = ...) -> None: ...

class PutBudgetRequest(_message.Message):
    __slots__ = ("budget", "etag", "must_be_new")
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    MUST_BE_NEW_FIELD_NUMBER: _ClassVar[int]
    budget: ScopedBudget
    etag: str
    must_be_new: bool
    def __init__(self, budget: _Optional[_Union[ScopedBudget, _Mapping]] = ..., etag: _Optional[str] = ..., must_be_new: _Optional[bool] = ...) -> None: ...

class DeleteBudgetRequest(_message.Message):
    __slots__ = ("scope", "scope_id", "period", "enforcement", "organization_id", "etag")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    scope: str
    scope_id: str
    period: str
    enforcement: str
    organization_id: str
    etag: str
    def __init__(self, scope: _Optional[str] = ..., scope_id: _Optional[str] = ..., period: _Optional[str] = ..., enforcement: _Optional[str] = ..., organization_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class BudgetsQuery(_message.Message):
    __slots__ = ("scope", "scope_id", "organization_id", "after", "limit")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    scope: str
    scope_id: str
    organization_id: str
    after: str
    limit: int
    def __init__(self, scope: _Optional[str] = ..., scope_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class BudgetPage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ScopedBudget]
    def __init__(self, items: _Optional[_Iterable[_Union[ScopedBudget, _Mapping]]] = ...) -> None: ...

class Notification(_message.Message):
    __slots__ = ("event_id", "budget_id", "threshold", "state", "attempts", "created_at", "due_at", "reason", "body")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    budget_id: str
    threshold: int
    state: str
    attempts: int
    created_at: str
    due_at: str
    reason: str
    body: str
    def __init__(self, event_id: _Optional[str] = ..., budget_id: _Optional[str] = ..., threshold: _Optional[int] = ..., state: _Optional[str] = ..., attempts: _Optional[int] = ..., created_at: _Optional[str] = ..., due_at: _Optional[str] = ..., reason: _Optional[str] = ..., body: _Optional[str] = ...) -> None: ...

class NotificationsQuery(_message.Message):
    __slots__ = ("state", "limit")
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    state: str
    limit: int
    def __init__(self, state: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class NotificationPage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Notification]
    def __init__(self, items: _Optional[_Iterable[_Union[Notification, _Mapping]]] = ...) -> None: ...

class NotificationRef(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: _Optional[str] = ...) -> None: ...

class PriceTier(_message.Message):
    __slots__ = ("above", "input", "cached_input", "cache_write", "input_audio", "output", "reasoning", "output_audio", "request")
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_FIELD_NUMBER: _ClassVar[int]
    INPUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    above: int
    input: int
    cached_input: int
    cache_write: int
    input_audio: int
    output: int
    reasoning: int
    output_audio: int
    request: int
    def __init__(self, above: _Optional[int] = ..., input: _Optional[int] = ..., cached_input: _Optional[int] = ..., cache_write: _Optional[int] = ..., input_audio: _Optional[int] = ..., output: _Optional[int] = ..., reasoning: _Optional[int] = ..., output_audio: _Optional[int] = ..., request: _Optional[int] = ...) -> None: ...

class ModelPrice(_message.Message):
    __slots__ = ("provider", "model", "revision", "tiers", "starts_at", "ends_at", "currency")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    revision: str
    tiers: _containers.RepeatedCompositeFieldContainer[PriceTier]
    starts_at: str
    ends_at: str
    currency: str
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., revision: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[PriceTier, _Mapping]]] = ..., starts_at: _Optional[str] = ..., ends_at: _Optional[str] = ..., currency: _Optional[str] = ...) -> None: ...

class PricesQuery(_message.Message):
    __slots__ = ("provider", "model", "at")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    at: str
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., at: _Optional[str] = ...) -> None: ...

class PricePage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ModelPrice]
    def __init__(self, items: _Optional[_Iterable[_Union[ModelPrice, _Mapping]]] = ...) -> None: ...

class VerifyReport(_message.Message):
    __slots__ = ("entries", "open_reservations", "problems", "removed")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    OPEN_RESERVATIONS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    entries: int
    open_reservations: int
    problems: _containers.RepeatedScalarFieldContainer[str]
    removed: int
    def __init__(self, entries: _Optional[int] = ..., open_reservations: _Optional[int] = ..., problems: _Optional[_Iterable[str]] = ..., removed: _Optional[int] = ...) -> None: ...

class AttemptsQuery(_message.Message):
    __slots__ = ("attempt_ids", "provider", "since", "until", "unresolved", "cursor", "provider_request_ids", "newest_first", "key_id", "user_id", "model", "certainty", "limit")
    ATTEMPT_IDS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    attempt_ids: _containers.RepeatedScalarFieldContainer[str]
    provider: str
    since: str
    until: str
    unresolved: bool
    cursor: str
    provider_request_ids: _containers.RepeatedScalarFieldContainer[str]
    newest_first: bool
    key_id: str
    user_id: str
    model: str
    certainty: str
    limit: int
    def __init__(self, attempt_ids: _Optional[_Iterable[str]] = ..., provider: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., unresolved: _Optional[bool] = ..., cursor: _Optional[str] = ..., provider_request_ids: _Optional[_Iterable[str]] = ..., newest_first: _Optional[bool] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ..., model: _Optional[str] = ..., certainty: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("attempt_id", "key_id", "provider", "model", "certainty", "resolved", "amount", "usage", "reserved_at", "request_id", "user_id", "result", "status", "sent_at", "first_byte_us", "duration_us", "provider_request_id")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    attempt_id: str
    key_id: str
    provider: str
    model: str
    certainty: str
    resolved: bool
    amount: int
    usage: _common_pb2.Usage
    reserved_at: str
    request_id: str
    user_id: str
    result: str
    status: int
    sent_at: str
    first_byte_us: int
    duration_us: int
    provider_request_id: str
    def __init__(self, attempt_id: _Optional[str] = ..., key_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., certainty: _Optional[str] = ..., resolved: _Optional[bool] = ..., amount: _Optional[int] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., reserved_at: _Optional[str] = ..., request_id: _Optional[str] = ..., user_id: _Optional[str] = ..., result: _Optional[str] = ..., status: _Optional[int] = ..., sent_at: _Optional[str] = ..., first_byte_us: _Optional[int] = ..., duration_us: _Optional[int] = ..., provider_request_id: _Optional[str] = ...) -> None: ...

class AttemptPage(_message.Message):
    __slots__ = ("items", "cursor")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Attempt]
    cursor: str
    def __init__(self, items: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class Resolution(_message.Message):
    __slots__ = ("attempt_id", "absent", "usage", "cost")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    attempt_id: str
    absent: bool
    usage: _common_pb2.Usage
    cost: int
    def __init__(self, attempt_id: _Optional[str] = ..., absent: _Optional[bool] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., cost: _Optional[int] = ...) -> None: ...

class ResolveBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Resolution]
    def __init__(self, items: _Optional[_Iterable[_Union[Resolution, _Mapping]]] = ...) -> None: ...

class ResolveReply(_message.Message):
    __slots__ = ("error", "adjusted", "made", "amount")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    MADE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    error: _common_pb2.Error
    adjusted: int
    made: bool
    amount: int
    def __init__(self, error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ..., adjusted: _Optional[int] = ..., made: _Optional[bool] = ..., amount: _Optional[int] = ...) -> None: ...

class ResolveReplies(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ResolveReply]
    def __init__(self, items: _Optional[_Iterable[_Union[ResolveReply, _Mapping]]] = ...) -> None: ...

class ReadBackQuery(_message.Message):
    __slots__ = ("after", "before")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    after: int
    before: str
    def __init__(self, after: _Optional[int] = ..., before: _Optional[str] = ...) -> None: ...

class ReadBackPage(_message.Message):
    __slots__ = ("entries", "last", "end", "archived_to")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_TO_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedScalarFieldContainer[str]
    last: int
    end: bool
    archived_to: int
    def __init__(self, entries: _Optional[_Iterable[str]] = ..., last: _Optional[int] = ..., end: _Optional[bool] = ..., archived_to: _Optional[int] = ...) -> None: ...

class ArchivedRange(_message.Message):
    __slots__ = ("after", "last", "sha256", "check_only")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CHECK_ONLY_FIELD_NUMBER: _ClassVar[int]
    after: int
    last: int
    sha256: str
    check_only: bool
    def __init__(self, after: _Optional[int] = ..., last: _Optional[int] = ..., sha256: _Optional[str] = ..., check_only: _Optional[bool] = ...) -> None: ...

class RetentionState(_message.Message):
    __slots__ = ("archived_to", "examined_to", "removed", "removed_before", "removable_before")
    ARCHIVED_TO_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_TO_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    REMOVABLE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    archived_to: int
    examined_to: int
    removed: int
    removed_before: str
    removable_before: str
    def __init__(self, archived_to: _Optional[int] = ..., examined_to: _Optional[int] = ..., removed: _Optional[int] = ..., removed_before: _Optional[str] = ..., removable_before: _Optional[str] = ...) -> None: ...
