from llm_platform.proto import common_pb2 as _common_pb2
from llm_platform.proto import rules_pb2 as _rules_pb2
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
    __slots__ = ("items", "applied")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ProviderHealth]
    applied: Applied
    def __init__(self, items: _Optional[_Iterable[_Union[ProviderHealth, _Mapping]]] = ..., applied: _Optional[_Union[Applied, _Mapping]] = ...) -> None: ...

class Applied(_message.Message):
    __slots__ = ("number", "digest")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    number: int
    digest: str
    def __init__(self, number: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("rules", "document", "before")
    RULES_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    rules: Applied
    document: _rules_pb2.RoutingDocument
    before: Applied
    def __init__(self, rules: _Optional[_Union[Applied, _Mapping]] = ..., document: _Optional[_Union[_rules_pb2.RoutingDocument, _Mapping]] = ..., before: _Optional[_Union[Applied, _Mapping]] = ...) -> None: ...

class TestRequest(_message.Message):
    __slots__ = ("name", "definition")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    name: str
    definition: _rules_pb2.ProviderDefinition
    def __init__(self, name: _Optional[str] = ..., definition: _Optional[_Union[_rules_pb2.ProviderDefinition, _Mapping]] = ...) -> None: ...

class TestReport(_message.Message):
    __slots__ = ("ok", "detail", "status", "milliseconds", "models")
    OK_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    detail: str
    status: int
    milliseconds: int
    models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ok: _Optional[bool] = ..., detail: _Optional[str] = ..., status: _Optional[int] = ..., milliseconds: _Optional[int] = ..., models: _Optional[_Iterable[str]] = ...) -> None: ...
