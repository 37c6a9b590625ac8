"""Loads the configuration: a YAML file and the environment, checked as a whole.

Whatever is wrong is refused at once, each with its place, its key, what is wrong and what may be meant.
"""

from __future__ import annotations

import difflib
import types
import typing
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llm_platform.core.config import Config, Limit, Traffic, Vault
from llm_platform.core.config.document import ConfigError, Document, Location, Problem, dotted, parse, plain_value
from llm_platform.core.config.environment import apply as apply_environment
from llm_platform.core.redaction import redacted

__all__ = ["ConfigError", "Loaded", "Problem", "check_sections", "effective", "load", "read"]


class Loaded(NamedTuple):
    config: Config
    notices: list[str]
    """What has no effect or deserves attention, for the operator."""


def load(path: Path | None, environment: Mapping[str, str]) -> Config:
    """The configuration of ``path`` (None: no file) and the environment. Raises ``ConfigError``.

    Notices are issued as warnings; ``read`` returns them.
    """
    loaded = read(path, environment)
    for notice in loaded.notices:
        warnings.warn(notice, UserWarning, stacklevel=2)
    return loaded.config


def read(path: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Like ``load``, with the notices. Raises ``ConfigError``."""
    document = _document(path, environment)
    # An empty section ("cache:" with nothing below) means its defaults.
    document.data = {name: section for name, section in document.data.items() if section is not None}
    notices = apply_environment(document, environment)
    config = _validate(document)
    return Loaded(config, notices + _attention(config))


def check_sections(sections: dict[str, Any]) -> Config:
    """The configuration of these sections and defaults, checked like a file. Raises ``ConfigError``."""
    return _validate(Document(sections))


def effective(config: Config) -> dict[str, Any]:
    """The whole configuration as plain data, secrets redacted: what may be shown."""
    plain: dict[str, Any] = redacted(config.model_dump())
    return plain


def _document(path: Path | None, environment: Mapping[str, str]) -> Document:
    if path is None:
        return Document({})
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(str(path), "", "is not UTF-8 text")]) from None
    return parse(text, str(path), environment)


def _validate(document: Document) -> Config:
    """Two passes: a substituted value is text, and becomes a number or a truth value only where the key wants one."""
    try:
        return _checked(document, _model(document))
    except ValidationError as error:
        if not _convert_substituted(document, error):
            raise ConfigError(_problems(document, error)) from None
    try:
        return _checked(document, _model(document))
    except ValidationError as error:
        raise ConfigError(_problems(document, error)) from None


def _model(document: Document) -> Config:
    return Config.model_validate_json(msgspec.json.encode(document.data), strict=True)


def _checked(document: Document, config: Config) -> Config:
    if problems := document.problems + _contradictions(document, config):
        raise ConfigError(problems)
    return config


def _convert_substituted(document: Document, error: ValidationError) -> bool:
    converted = False
    for detail in error.errors(include_url=False):
        location = _location(document.data, detail["loc"])
        if location not in document.substituted:
            continue
        text = _at(document.data, location)
        if detail["type"] == "bool_type" and text.lower() in ("1", "0", "yes", "no", "on", "off"):
            value: Any = text.lower() in ("1", "yes", "on")
        else:
            value = plain_value(text)
        if value != text:
            _at(document.data, location[:-1])[location[-1]] = value
            converted = True
    return converted


def _contradictions(document: Document, config: Config) -> list[Problem]:
    problems = []
    if config.peers and config.tls is None:
        problems.append(Problem(document.place(("peers",)), "tls", "is required when peers are given"))
    if config.vault is not None and (what := _odd_login(config.vault)):
        problems.append(Problem(document.place(("vault",)), "vault", what))
    problems += [
        Problem(document.place(location), dotted(location), what, hint)
        for location, what, hint in (*_odd_bursts(config), *_limits_of_unknown(config))
    ]
    if _names_unserved_default(config):
        location = ("routing", "default_model")
        model, served = (
            config.routing.default_model,
            sorted({name for each in config.providers.values() for name in each.models}),
        )
        problems.append(
            Problem(document.place(location), dotted(location), "no provider serves it", _nearest(model, served))
        )
    return problems


def _odd_login(vault: Vault) -> str | None:
    given = [each for each in (vault.secret_id, vault.secret_id_file) if each is not None]
    if vault.token is not None:
        return "needs either token, or role_id and a secret id, not both" if vault.role_id or given else None
    return None if vault.role_id and len(given) == 1 else "needs role_id and one of secret_id, secret_id_file; or token"


def _odd_bursts(config: Config) -> Iterator[tuple[Location, str, str]]:
    """A burst says nothing without its limit, and an hour's units are the most that are kept count of."""
    limits: list[tuple[Location, Limit | Traffic]] = [(("traffic",), config.traffic)]
    limits += [(("limits", "models", name), limit) for name, limit in config.limits.models.items()]
    limits += [(("limits", "providers", name), limit) for name, limit in config.limits.providers.items()]
    for location, limit in limits:
        rpm = limit.requests_per_minute
        if isinstance(limit, Traffic):
            rpm = rpm or config.security.rate_limit_rpm
        for burst, rate, name in (
            (limit.requests_burst, rpm, "requests"),
            (limit.tokens_burst, limit.tokens_per_minute, "tokens"),
        ):
            if burst and not rate:
                yield (*location, f"{name}_burst"), f"has no effect without {name}_per_minute", ""
            elif burst > 60 * rate:
                yield (*location, f"{name}_burst"), f"must be at most 60 times {name}_per_minute", ""


def _limits_of_unknown(config: Config) -> Iterator[tuple[Location, str, str]]:
    if not _knows_providers(config):
        return
    served = sorted({name for each in config.providers.values() for name in each.models})
    for name in config.limits.models:
        if name not in served:
            yield ("limits", "models", name), "no provider serves it", _nearest(name, served)
    for name in config.limits.providers:
        if name not in config.providers:
            yield ("limits", "providers", name), "no such provider", _nearest(name, sorted(config.providers))


def _knows_providers(config: Config) -> bool:
    """tail, which has peers, is not told of them."""
    return "providers" in config.model_fields_set or not config.peers


def _names_unserved_default(config: Config) -> bool:
    """Of one's own choice only."""
    chosen = "default_model" in config.routing.model_fields_set
    model = config.routing.default_model
    return (
        chosen
        and _knows_providers(config)
        and not any(model in provider.models for provider in config.providers.values())
    )


def _attention(config: Config) -> list[str]:
    notices = []
    if not config.auth.require_auth_header:
        notices.append("auth.require_auth_header is false: ANYONE who reaches this entry can use it, at your cost")
    if config.auth.mode != "gateway" or config.auth.allow_client_keys:
        notices.append("auth.mode client and hybrid have no effect yet: the platform's own keys are used")
    model = config.routing.default_model
    serving = [provider for provider in config.providers.values() if model in provider.models]
    if serving and not any(provider.enabled for provider in serving):
        notices.append(f"routing.default_model {model} is served by disabled providers only")
    if config.vault is not None and config.vault.address.startswith("http://"):
        notices.append("vault.address is http: secrets travel unencrypted")
    if config.cache.enabled:
        notices.append("cache.enabled has no effect yet: answers are not cached")
    if config.traffic.drain_seconds < config.traffic.stream_max_seconds:
        notices.append(
            f"traffic.drain_seconds ({config.traffic.drain_seconds}) is shorter than traffic.stream_max_seconds "
            f"({config.traffic.stream_max_seconds}): a stop may cut streams"
        )
    return notices


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    found: dict[Location, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_location(document.data, detail["loc"]), []).append(detail)
    # Of a union's branches the deepest tells most: the others failed at the outside.
    deepest = {location: details for location, details in found.items() if not _covers(location, found)}
    problems = document.problems + [_problem(document, location, details) for location, details in deepest.items()]
    # One mistake can show twice: a variable that is not set also leaves a value of the wrong type.
    unique: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.where, problem.key), problem)
    return sorted(unique.values(), key=_line)


def _line(problem: Problem) -> int:
    """The line of the file; what comes from elsewhere stands first."""
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _covers(location: Location, found: dict[Location, list[ErrorDetails]]) -> bool:
    return any(len(other) > len(location) and other[: len(location)] == location for other in found)


def _problem(document: Document, location: Location, details: list[ErrorDetails]) -> Problem:
    where, key = document.place(location), dotted(location)
    kinds = [detail["type"] for detail in details]
    if kinds[0] == "extra_forbidden":
        return Problem(where, key, "unknown key", _nearest(str(location[-1]), _known_keys(location[:-1])))
    if kinds[0] == "missing":
        return Problem(where, key, "is required")
    context = details[0].get("ctx", {})
    if kinds[0] == "literal_error":
        wanted = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
        given = _at(document.data, location)
        hint = _nearest(given, wanted) if isinstance(given, str) else ""
        return Problem(where, key, f"must be one of {', '.join(wanted)}", hint if hint.startswith("did") else "")
    wanted_kinds = " or ".join(dict.fromkeys(_WANTED[kind] for kind in kinds if kind in _WANTED))
    if wanted_kinds:
        return Problem(where, key, f"must be {wanted_kinds}, not {_kind(_at(document.data, location))}")
    return Problem(where, key, details[0]["msg"].replace("Input should", "must"))


_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
}


def _kind(value: Any) -> str:
    """The kind of a value, never the value: it may be a secret."""
    if value is None:
        return "empty"
    names = {bool: "true or false", int: "a number", float: "a fraction", str: "text", list: "a list"}
    return names.get(type(value), "a section of keys")


def _nearest(given: str, known: list[str]) -> str:
    if close := difflib.get_close_matches(given, known, n=1, cutoff=0.6):
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(known)}" if known else ""


def _location(data: Any, raw: tuple[str | int, ...]) -> Location:
    """Pydantic's place of an error without the names of union branches, which are not in the file."""
    location: list[str | int] = []
    for position, part in enumerate(raw):
        if _holds(data, part):
            data = data[part]
        elif isinstance(data, dict) and position == len(raw) - 1 and not str(part).startswith(("dict[", "list[")):
            pass  # a key that is missing
        else:
            continue
        location.append(part)
    return tuple(location)


def _holds(data: Any, part: str | int) -> bool:
    return part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))


def _at(data: Any, location: Location) -> Any:
    for part in location:
        data = data[part]
    return data


def _known_keys(location: Location) -> list[str]:
    """The keys the model knows at a location of sections and named entries."""
    annotation: Any = Config
    for part in location:
        annotation = _inner(annotation, part)
    model = _model_of(annotation)
    return list(model.model_fields) if model else []


def _inner(annotation: Any, part: str | int) -> Any:
    if model := _model_of(annotation):
        known = model.model_fields.get(str(part))
        return known.annotation if known else None
    arguments = typing.get_args(annotation)
    return arguments[1] if typing.get_origin(annotation) is dict else None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)
