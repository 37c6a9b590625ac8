from llm_platform.proto import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PublicKeySet(_message.Message):
    __slots__ = ("jwks",)
    JWKS_FIELD_NUMBER: _ClassVar[int]
    jwks: str
    def __init__(self, jwks: _Optional[str] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("address", "client")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    address: str
    client: str
    def __init__(self, address: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class PasswordLogin(_message.Message):
    __slots__ = ("name", "password", "origin")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    password: str
    origin: Origin
    def __init__(self, name: _Optional[str] = ..., password: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class BeginOidcRequest(_message.Message):
    __slots__ = ("redirect_uri",)
    REDIRECT_URI_FIELD_NUMBER: _ClassVar[int]
    redirect_uri: str
    def __init__(self, redirect_uri: _Optional[str] = ...) -> None: ...

class OidcStart(_message.Message):
    __slots__ = ("url", "state")
    URL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    url: str
    state: str
    def __init__(self, url: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class FinishOidcRequest(_message.Message):
    __slots__ = ("state", "code", "origin")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    state: str
    code: str
    origin: Origin
    def __init__(self, state: _Optional[str] = ..., code: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class ApiKeyLogin(_message.Message):
    __slots__ = ("key", "origin")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    key: str
    origin: Origin
    def __init__(self, key: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class SessionToken(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "user_id", "method", "origin", "created_at", "used_at", "expires_at")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user_id: str
    method: str
    origin: Origin
    created_at: str
    used_at: str
    expires_at: str
    def __init__(self, session_id: _Optional[str] = ..., user_id: _Optional[str] = ..., method: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ..., created_at: _Optional[str] = ..., used_at: _Optional[str] = ..., expires_at: _Optional[str] = ...) -> None: ...

class SignedIn(_message.Message):
    __slots__ = ("token", "session", "must_change_password")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MUST_CHANGE_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    token: str
    session: Session
    must_change_password: bool
    def __init__(self, token: _Optional[str] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., must_change_password: _Optional[bool] = ...) -> None: ...

class ActorToken(_message.Message):
    __slots__ = ("token", "expires_at", "user_id", "name", "role", "organization_id", "platform")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    token: str
    expires_at: str
    user_id: str
    name: str
    role: str
    organization_id: str
    platform: bool
    def __init__(self, token: _Optional[str] = ..., expires_at: _Optional[str] = ..., user_id: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., organization_id: _Optional[str] = ..., platform: _Optional[bool] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class SessionList(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Session]
    def __init__(self, items: _Optional[_Iterable[_Union[Session, _Mapping]]] = ...) -> None: ...

class EndSessionsRequest(_message.Message):
    __slots__ = ("session_id", "user")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user: str
    def __init__(self, session_id: _Optional[str] = ..., user: _Optional[str] = ...) -> None: ...

class EndedSessions(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: int
    def __init__(self, sessions: _Optional[int] = ...) -> None: ...

class ChangePasswordRequest(_message.Message):
    __slots__ = ("token", "old_password", "new_password", "origin")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    OLD_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    token: str
    old_password: str
    new_password: str
    origin: Origin
    def __init__(self, token: _Optional[str] = ..., old_password: _Optional[str] = ..., new_password: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class ResetPasswordRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class OneTimePassword(_message.Message):
    __slots__ = ("password", "expires_at")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    password: str
    expires_at: str
    def __init__(self, password: _Optional[str] = ..., expires_at: _Optional[str] = ...) -> None: ...

class ReplaceSigningKeyRequest(_message.Message):
    __slots__ = ("withdraw",)
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    withdraw: bool
    def __init__(self, withdraw: _Optional[bool] = ...) -> None: ...
