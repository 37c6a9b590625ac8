from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditEntry(_message.Message):
    __slots__ = ("number", "entry_id", "at", "service", "actor_id", "actor_name", "actor_kind", "actor_role", "organization_id", "action", "target", "result", "reason", "request_id", "source", "details", "repeated", "previous", "hash")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_NAME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_KIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ROLE_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    number: int
    entry_id: str
    at: str
    service: str
    actor_id: str
    actor_name: str
    actor_kind: str
    actor_role: str
    organization_id: str
    action: str
    target: str
    result: str
    reason: str
    request_id: str
    source: str
    details: str
    repeated: int
    previous: str
    hash: str
    def __init__(self, number: _Optional[int] = ..., entry_id: _Optional[str] = ..., at: _Optional[str] = ..., service: _Optional[str] = ..., actor_id: _Optional[str] = ..., actor_name: _Optional[str] = ..., actor_kind: _Optional[str] = ..., actor_role: _Optional[str] = ..., organization_id: _Optional[str] = ..., action: _Optional[str] = ..., target: _Optional[str] = ..., result: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., source: _Optional[str] = ..., details: _Optional[str] = ..., repeated: _Optional[int] = ..., previous: _Optional[str] = ..., hash: _Optional[str] = ...) -> None: ...

class AuditBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    def __init__(self, items: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ...) -> None: ...

class ListAuditRequest(_message.Message):
    __slots__ = ("organization", "actor", "action", "target", "result", "since", "until", "newest_first", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    actor: str
    action: str
    target: str
    result: str
    since: str
    until: str
    newest_first: bool
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., actor: _Optional[str] = ..., action: _Optional[str] = ..., target: _Optional[str] = ..., result: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., newest_first: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class AuditEntries(_message.Message):
    __slots__ = ("items", "next_page_token")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    next_page_token: str
    def __init__(self, items: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class VerifyAuditRequest(_message.Message):
    __slots__ = ("after", "hash")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    after: int
    hash: str
    def __init__(self, after: _Optional[int] = ..., hash: _Optional[str] = ...) -> None: ...

class AuditVerification(_message.Message):
    __slots__ = ("checked_to", "hash", "end", "broken", "reason")
    CHECKED_TO_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    checked_to: int
    hash: str
    end: bool
    broken: int
    reason: str
    def __init__(self, checked_to: _Optional[int] = ..., hash: _Optional[str] = ..., end: _Optional[bool] = ..., broken: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
