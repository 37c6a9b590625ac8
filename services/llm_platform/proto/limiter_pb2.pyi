from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scope(_message.Message):
    __slots__ = ("subject", "limits", "tokens")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    limits: _common_pb2.Limits
    tokens: int
    def __init__(self, subject: _Optional[str] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., tokens: _Optional[int] = ...) -> None: ...

class Acquire(_message.Message):
    __slots__ = ("lease_id", "subject", "limits", "tokens", "ttl_seconds", "count", "scopes")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    subject: str
    limits: _common_pb2.Limits
    tokens: int
    ttl_seconds: int
    count: int
    scopes: _containers.RepeatedCompositeFieldContainer[Scope]
    def __init__(self, lease_id: _Optional[str] = ..., subject: _Optional[str] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., tokens: _Optional[int] = ..., ttl_seconds: _Optional[int] = ..., count: _Optional[int] = ..., scopes: _Optional[_Iterable[_Union[Scope, _Mapping]]] = ...) -> None: ...

class AcquireBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Acquire]
    def __init__(self, items: _Optional[_Iterable[_Union[Acquire, _Mapping]]] = ...) -> None: ...

class LimitState(_message.Message):
    __slots__ = ("limit", "remaining", "reset_ms")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESET_MS_FIELD_NUMBER: _ClassVar[int]
    limit: int
    remaining: int
    reset_ms: int
    def __init__(self, limit: _Optional[int] = ..., remaining: _Optional[int] = ..., reset_ms: _Optional[int] = ...) -> None: ...

class AcquireReply(_message.Message):
    __slots__ = ("allowed", "denied_by", "retry_after_ms", "requests", "tokens", "granted", "denied_scope")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    DENIED_BY_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    DENIED_SCOPE_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    denied_by: str
    retry_after_ms: int
    requests: LimitState
    tokens: LimitState
    granted: int
    denied_scope: str
    def __init__(self, allowed: _Optional[bool] = ..., denied_by: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., requests: _Optional[_Union[LimitState, _Mapping]] = ..., tokens: _Optional[_Union[LimitState, _Mapping]] = ..., granted: _Optional[int] = ..., denied_scope: _Optional[str] = ...) -> None: ...

class AcquireReplies(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AcquireReply]
    def __init__(self, items: _Optional[_Iterable[_Union[AcquireReply, _Mapping]]] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("lease_id", "subject", "tokens", "requests", "scopes", "estimate_stands")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_STANDS_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    subject: str
    tokens: int
    requests: int
    scopes: _containers.RepeatedScalarFieldContainer[str]
    estimate_stands: bool
    def __init__(self, lease_id: _Optional[str] = ..., subject: _Optional[str] = ..., tokens: _Optional[int] = ..., requests: _Optional[int] = ..., scopes: _Optional[_Iterable[str]] = ..., estimate_stands: _Optional[bool] = ...) -> None: ...

class FinishBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Finish]
    def __init__(self, items: _Optional[_Iterable[_Union[Finish, _Mapping]]] = ...) -> None: ...
