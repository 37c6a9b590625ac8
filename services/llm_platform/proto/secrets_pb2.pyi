from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetSecretRequest(_message.Message):
    __slots__ = ("path", "version", "with_overlap")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    with_overlap: bool
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ..., with_overlap: _Optional[bool] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("path", "version", "value", "overlapping")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OVERLAPPING_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    value: bytes
    overlapping: _containers.RepeatedCompositeFieldContainer[OverlappingSecret]
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ..., value: _Optional[bytes] = ..., overlapping: _Optional[_Iterable[_Union[OverlappingSecret, _Mapping]]] = ...) -> None: ...

class OverlappingSecret(_message.Message):
    __slots__ = ("version", "value", "valid_until")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    version: int
    value: bytes
    valid_until: str
    def __init__(self, version: _Optional[int] = ..., value: _Optional[bytes] = ..., valid_until: _Optional[str] = ...) -> None: ...

class PutSecretRequest(_message.Message):
    __slots__ = ("path", "value", "expected_version")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    path: str
    value: bytes
    expected_version: int
    def __init__(self, path: _Optional[str] = ..., value: _Optional[bytes] = ..., expected_version: _Optional[int] = ...) -> None: ...

class RotateSecretRequest(_message.Message):
    __slots__ = ("path", "value", "expected_version", "overlap_seconds")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    path: str
    value: bytes
    expected_version: int
    overlap_seconds: int
    def __init__(self, path: _Optional[str] = ..., value: _Optional[bytes] = ..., expected_version: _Optional[int] = ..., overlap_seconds: _Optional[int] = ...) -> None: ...

class SecretVersion(_message.Message):
    __slots__ = ("path", "version")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DescribeSecretRequest(_message.Message):
    __slots__ = ("path", "description", "labels", "removed_labels", "expires_at")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_LABELS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    path: str
    description: str
    labels: _containers.ScalarMap[str, str]
    removed_labels: _containers.RepeatedScalarFieldContainer[str]
    expires_at: str
    def __init__(self, path: _Optional[str] = ..., description: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., removed_labels: _Optional[_Iterable[str]] = ..., expires_at: _Optional[str] = ...) -> None: ...

class ListSecretsRequest(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    def __init__(self, prefix: _Optional[str] = ...) -> None: ...

class SecretInfo(_message.Message):
    __slots__ = ("path", "current_version", "versions", "updated_at", "description", "labels", "expires_at", "created_at", "created_by", "updated_by", "details")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    CURRENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    path: str
    current_version: int
    versions: _containers.RepeatedScalarFieldContainer[int]
    updated_at: str
    description: str
    labels: _containers.ScalarMap[str, str]
    expires_at: str
    created_at: str
    created_by: str
    updated_by: str
    details: _containers.RepeatedCompositeFieldContainer[SecretVersionInfo]
    def __init__(self, path: _Optional[str] = ..., current_version: _Optional[int] = ..., versions: _Optional[_Iterable[int]] = ..., updated_at: _Optional[str] = ..., description: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., expires_at: _Optional[str] = ..., created_at: _Optional[str] = ..., created_by: _Optional[str] = ..., updated_by: _Optional[str] = ..., details: _Optional[_Iterable[_Union[SecretVersionInfo, _Mapping]]] = ...) -> None: ...

class SecretVersionInfo(_message.Message):
    __slots__ = ("version", "created_at", "created_by", "enabled", "valid_until")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    version: int
    created_at: str
    created_by: str
    enabled: bool
    valid_until: str
    def __init__(self, version: _Optional[int] = ..., created_at: _Optional[str] = ..., created_by: _Optional[str] = ..., enabled: _Optional[bool] = ..., valid_until: _Optional[str] = ...) -> None: ...

class SecretInfos(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SecretInfo]
    def __init__(self, items: _Optional[_Iterable[_Union[SecretInfo, _Mapping]]] = ...) -> None: ...

class DeleteSecretRequest(_message.Message):
    __slots__ = ("path", "version")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class AccessesRequest(_message.Message):
    __slots__ = ("path", "page_size")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    path: str
    page_size: int
    def __init__(self, path: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class SecretAccess(_message.Message):
    __slots__ = ("at", "caller", "actor", "operation", "version", "result")
    AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    at: str
    caller: str
    actor: str
    operation: str
    version: int
    result: str
    def __init__(self, at: _Optional[str] = ..., caller: _Optional[str] = ..., actor: _Optional[str] = ..., operation: _Optional[str] = ..., version: _Optional[int] = ..., result: _Optional[str] = ...) -> None: ...

class SecretAccesses(_message.Message):
    __slots__ = ("items", "searched_back_to")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_BACK_TO_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SecretAccess]
    searched_back_to: str
    def __init__(self, items: _Optional[_Iterable[_Union[SecretAccess, _Mapping]]] = ..., searched_back_to: _Optional[str] = ...) -> None: ...

class SecretsSeal(_message.Message):
    __slots__ = ("store", "sealed", "passphrase", "key_id", "confirmable")
    STORE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIRMABLE_FIELD_NUMBER: _ClassVar[int]
    store: str
    sealed: bool
    passphrase: bool
    key_id: str
    confirmable: bool
    def __init__(self, store: _Optional[str] = ..., sealed: _Optional[bool] = ..., passphrase: _Optional[bool] = ..., key_id: _Optional[str] = ..., confirmable: _Optional[bool] = ...) -> None: ...

class SealSecretsRequest(_message.Message):
    __slots__ = ("passphrase",)
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    passphrase: bytes
    def __init__(self, passphrase: _Optional[bytes] = ...) -> None: ...

class UnsealSecretsRequest(_message.Message):
    __slots__ = ("passphrase", "initialize")
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    INITIALIZE_FIELD_NUMBER: _ClassVar[int]
    passphrase: bytes
    initialize: bool
    def __init__(self, passphrase: _Optional[bytes] = ..., initialize: _Optional[bool] = ...) -> None: ...

class RotateStoreKeyRequest(_message.Message):
    __slots__ = ("confirm",)
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    confirm: bool
    def __init__(self, confirm: _Optional[bool] = ...) -> None: ...
