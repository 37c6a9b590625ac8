from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Error(_message.Message):
    __slots__ = ("code", "message", "fault", "retryable", "retry_after_ms", "param", "upstream_status")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_STATUS_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    fault: str
    retryable: bool
    retry_after_ms: int
    param: str
    upstream_status: int
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., fault: _Optional[str] = ..., retryable: _Optional[bool] = ..., retry_after_ms: _Optional[int] = ..., param: _Optional[str] = ..., upstream_status: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    INPUT_AUDIO_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_AUDIO_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ..., input_audio_tokens: _Optional[int] = ..., output_audio_tokens: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("requests_per_minute", "tokens_per_minute", "concurrency", "requests_burst", "tokens_burst")
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_BURST_FIELD_NUMBER: _ClassVar[int]
    TOKENS_BURST_FIELD_NUMBER: _ClassVar[int]
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int
    requests_burst: int
    tokens_burst: int
    def __init__(self, requests_per_minute: _Optional[int] = ..., tokens_per_minute: _Optional[int] = ..., concurrency: _Optional[int] = ..., requests_burst: _Optional[int] = ..., tokens_burst: _Optional[int] = ...) -> None: ...

class Principal(_message.Message):
    __slots__ = ("key_id", "user_id", "role", "limits", "allowed_models", "team_id", "organization_id", "allowed_entries", "ip_ranges", "user_limits", "team_limits", "organization_limits")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_MODELS_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    IP_RANGES_FIELD_NUMBER: _ClassVar[int]
    USER_LIMITS_FIELD_NUMBER: _ClassVar[int]
    TEAM_LIMITS_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_LIMITS_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    user_id: str
    role: str
    limits: Limits
    allowed_models: _containers.RepeatedScalarFieldContainer[str]
    team_id: str
    organization_id: str
    allowed_entries: _containers.RepeatedScalarFieldContainer[str]
    ip_ranges: _containers.RepeatedScalarFieldContainer[str]
    user_limits: Limits
    team_limits: Limits
    organization_limits: Limits
    def __init__(self, key_id: _Optional[str] = ..., user_id: _Optional[str] = ..., role: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., allowed_models: _Optional[_Iterable[str]] = ..., team_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., allowed_entries: _Optional[_Iterable[str]] = ..., ip_ranges: _Optional[_Iterable[str]] = ..., user_limits: _Optional[_Union[Limits, _Mapping]] = ..., team_limits: _Optional[_Union[Limits, _Mapping]] = ..., organization_limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
