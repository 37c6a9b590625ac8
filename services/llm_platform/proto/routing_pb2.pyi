from llm_platform.proto import common_pb2 as _common_pb2
from llm_platform.proto import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecideRequest(_message.Message):
    __slots__ = ("model", "request_id", "allowed_models", "explain", "document")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_MODELS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    model: str
    request_id: str
    allowed_models: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    document: _rules_pb2.RoutingDocument
    def __init__(self, model: _Optional[str] = ..., request_id: _Optional[str] = ..., allowed_models: _Optional[_Iterable[str]] = ..., explain: _Optional[bool] = ..., document: _Optional[_Union[_rules_pb2.RoutingDocument, _Mapping]] = ...) -> None: ...

class RouteTarget(_message.Message):
    __slots__ = ("provider", "upstream_model")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    provider: str
    upstream_model: str
    def __init__(self, provider: _Optional[str] = ..., upstream_model: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("decision_id", "primary", "fallback", "matched_rules", "strategy", "explanation", "rejection")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    MATCHED_RULES_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    primary: RouteTarget
    fallback: RouteTarget
    matched_rules: _containers.RepeatedScalarFieldContainer[str]
    strategy: str
    explanation: _containers.RepeatedCompositeFieldContainer[Explanation]
    rejection: str
    def __init__(self, decision_id: _Optional[str] = ..., primary: _Optional[_Union[RouteTarget, _Mapping]] = ..., fallback: _Optional[_Union[RouteTarget, _Mapping]] = ..., matched_rules: _Optional[_Iterable[str]] = ..., strategy: _Optional[str] = ..., explanation: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., rejection: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("provider", "outcome", "reason")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    provider: str
    outcome: str
    reason: str
    def __init__(self, provider: _Optional[str] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("id", "owned_by", "created")
    ID_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    id: str
    owned_by: str
    created: int
    def __init__(self, id: _Optional[str] = ..., owned_by: _Optional[str] = ..., created: _Optional[int] = ...) -> None: ...

class ModelList(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, items: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class RoutingRevision(_message.Message):
    __slots__ = ("number", "etag", "source", "created_at", "actor", "note", "restored", "document", "changes", "file_differs", "replicas")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    FILE_DIFFERS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    number: int
    etag: str
    source: str
    created_at: str
    actor: str
    note: str
    restored: int
    document: _rules_pb2.RoutingDocument
    changes: _containers.RepeatedCompositeFieldContainer[RuleChange]
    file_differs: bool
    replicas: _containers.RepeatedCompositeFieldContainer[RulesReplica]
    def __init__(self, number: _Optional[int] = ..., etag: _Optional[str] = ..., source: _Optional[str] = ..., created_at: _Optional[str] = ..., actor: _Optional[str] = ..., note: _Optional[str] = ..., restored: _Optional[int] = ..., document: _Optional[_Union[_rules_pb2.RoutingDocument, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[RuleChange, _Mapping]]] = ..., file_differs: _Optional[bool] = ..., replicas: _Optional[_Iterable[_Union[RulesReplica, _Mapping]]] = ...) -> None: ...

class RuleChange(_message.Message):
    __slots__ = ("path", "before", "after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    before: str
    after: str
    def __init__(self, path: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class RulesReplica(_message.Message):
    __slots__ = ("address", "number", "problem")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    address: str
    number: int
    problem: str
    def __init__(self, address: _Optional[str] = ..., number: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class PutRulesRequest(_message.Message):
    __slots__ = ("document", "note", "etag")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    document: _rules_pb2.RoutingDocument
    note: str
    etag: str
    def __init__(self, document: _Optional[_Union[_rules_pb2.RoutingDocument, _Mapping]] = ..., note: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RestoreRevisionRequest(_message.Message):
    __slots__ = ("number", "note", "etag")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    number: int
    note: str
    etag: str
    def __init__(self, number: _Optional[int] = ..., note: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ImportRulesRequest(_message.Message):
    __slots__ = ("note", "etag")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    note: str
    etag: str
    def __init__(self, note: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ListRevisionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class RevisionList(_message.Message):
    __slots__ = ("items", "next_page_token")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[RoutingRevision]
    next_page_token: str
    def __init__(self, items: _Optional[_Iterable[_Union[RoutingRevision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRevisionRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...
