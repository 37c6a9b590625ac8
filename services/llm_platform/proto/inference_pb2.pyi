from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Batch(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: bytes
    def __init__(self, frames: _Optional[bytes] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "capabilities", "replica", "replicas", "draining", "window_bytes")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    replica: str
    replicas: _containers.RepeatedScalarFieldContainer[str]
    draining: bool
    window_bytes: int
    def __init__(self, protocol_version: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., replica: _Optional[str] = ..., replicas: _Optional[_Iterable[str]] = ..., draining: _Optional[bool] = ..., window_bytes: _Optional[int] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("request_id", "correlation_id", "dialect", "model", "stream", "principal", "max_output_tokens", "prompt_tokens_bound", "traceparent", "timeout_ms", "forbid_retry", "usage_wanted", "route", "entry", "choices")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_BOUND_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    FORBID_RETRY_FIELD_NUMBER: _ClassVar[int]
    USAGE_WANTED_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    correlation_id: str
    dialect: str
    model: str
    stream: bool
    principal: _common_pb2.Principal
    max_output_tokens: int
    prompt_tokens_bound: int
    traceparent: str
    timeout_ms: int
    forbid_retry: bool
    usage_wanted: bool
    route: Route
    entry: str
    choices: int
    def __init__(self, request_id: _Optional[str] = ..., correlation_id: _Optional[str] = ..., dialect: _Optional[str] = ..., model: _Optional[str] = ..., stream: _Optional[bool] = ..., principal: _Optional[_Union[_common_pb2.Principal, _Mapping]] = ..., max_output_tokens: _Optional[int] = ..., prompt_tokens_bound: _Optional[int] = ..., traceparent: _Optional[str] = ..., timeout_ms: _Optional[int] = ..., forbid_retry: _Optional[bool] = ..., usage_wanted: _Optional[bool] = ..., route: _Optional[_Union[Route, _Mapping]] = ..., entry: _Optional[str] = ..., choices: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("provider", "upstream_model", "reservation_id", "default_output_tokens", "provider_api")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_API_FIELD_NUMBER: _ClassVar[int]
    provider: str
    upstream_model: str
    reservation_id: str
    default_output_tokens: int
    provider_api: str
    def __init__(self, provider: _Optional[str] = ..., upstream_model: _Optional[str] = ..., reservation_id: _Optional[str] = ..., default_output_tokens: _Optional[int] = ..., provider_api: _Optional[str] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("status", "content_type", "provider", "model", "headers")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    status: int
    content_type: str
    provider: str
    model: str
    headers: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[int] = ..., content_type: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("usage", "usage_kind", "attempts")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    USAGE_KIND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    usage: _common_pb2.Usage
    usage_kind: str
    attempts: int
    def __init__(self, usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., usage_kind: _Optional[str] = ..., attempts: _Optional[int] = ...) -> None: ...
