from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProviderHealth(_message.Message):
    __slots__ = ("name", "type", "enabled", "state", "detail", "models", "successes", "failures", "score", "circuit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    enabled: bool
    state: str
    detail: str
    models: _containers.RepeatedScalarFieldContainer[str]
    successes: int
    failures: int
    score: float
    circuit: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., enabled: _Optional[bool] = ..., state: _Optional[str] = ..., detail: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., successes: _Optional[int] = ..., failures: _Optional[int] = ..., score: _Optional[float] = ..., circuit: _Optional[str] = ...) -> None: ...

class ProviderHealths(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ProviderHealth]
    def __init__(self, items: _Optional[_Iterable[_Union[ProviderHealth, _Mapping]]] = ...) -> None: ...
