from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoutingDocument(_message.Message):
    __slots__ = ("strategy", "failover_enabled", "providers")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    FAILOVER_ENABLED_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    failover_enabled: bool
    providers: _containers.RepeatedCompositeFieldContainer[ProviderDefinition]
    def __init__(self, strategy: _Optional[str] = ..., failover_enabled: _Optional[bool] = ..., providers: _Optional[_Iterable[_Union[ProviderDefinition, _Mapping]]] = ...) -> None: ...

class ProviderDefinition(_message.Message):
    __slots__ = ("name", "type", "base_url", "enabled", "models", "weight", "priority", "timeout_ms", "retry_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    base_url: str
    enabled: bool
    models: _containers.RepeatedCompositeFieldContainer[ProviderModel]
    weight: int
    priority: int
    timeout_ms: int
    retry_count: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., base_url: _Optional[str] = ..., enabled: _Optional[bool] = ..., models: _Optional[_Iterable[_Union[ProviderModel, _Mapping]]] = ..., weight: _Optional[int] = ..., priority: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., retry_count: _Optional[int] = ...) -> None: ...

class ProviderModel(_message.Message):
    __slots__ = ("name", "upstream")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    name: str
    upstream: str
    def __init__(self, name: _Optional[str] = ..., upstream: _Optional[str] = ...) -> None: ...
