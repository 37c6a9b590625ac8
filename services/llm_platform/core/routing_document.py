"""Documents of routing rules: made of the configuration file, checked as it is, and taken in its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf import json_format

from llm_platform.core.config import Config, Provider, Routing
from llm_platform.core.config.document import ConfigError
from llm_platform.core.config.file import check_sections
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel, RoutingDocument

MOST_PROVIDERS = 200
MOST_MODELS = 2_000
"""Of one provider."""
LONGEST_URL = 1_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""It is part of a secret's path and of metrics."""
_encode = msgspec.json.Encoder(order="sorted").encode


def of_config(config: Config) -> RoutingDocument:
    """What the sections ``providers`` and ``routing`` say, every field present."""
    return RoutingDocument(
        strategy=config.routing.strategy,
        failover_enabled=config.routing.failover_enabled,
        providers=[_definition(name, provider) for name, provider in config.providers.items()],
    )


def applied(document: RoutingDocument, config: Config) -> Config:
    """``config`` with ``document`` in place of both sections.

    Raises INVALID_REQUEST with the field at fault (``providers.openai.base_url``); the rules are the file's own.
    """
    _refuse_odd(document)
    routing: dict[str, Any] = {}
    if document.strategy:
        routing["strategy"] = document.strategy
    if document.HasField("failover_enabled"):
        routing["failover_enabled"] = document.failover_enabled
    if "default_model" in config.routing.model_fields_set:
        routing["default_model"] = config.routing.default_model
    providers = {definition.name: section_of(definition) for definition in document.providers}
    try:
        checked = check_sections({"routing": routing, "providers": providers})
    except ConfigError as error:
        # The names of the API, where the file's differ.
        told = [(_api_name(problem.key), problem) for problem in error.problems]
        text = "; ".join(f"{key}: {each.message}" + (f" ({each.hint})" if each.hint else "") for key, each in told)
        raise PlatformError(Code.INVALID_REQUEST, f"The rules are refused: {text}.", param=told[0][0]) from None
    return config.model_copy(update={"routing": checked.routing, "providers": checked.providers})


def understood(document: RoutingDocument, config: Config) -> tuple[Config, list[str]]:
    """The same for a document that was checked when it was put: providers of a type that only a later release knows
    are left out. Their names are the second."""
    try:
        return applied(document, config), []
    except PlatformError:
        known = RoutingDocument()
        known.CopyFrom(document)
        del known.providers[:]
        left_out: list[str] = []
        for definition in document.providers:
            if _is_understood(definition, config):
                known.providers.append(definition)
            else:
                left_out.append(definition.name)
        return applied(known, config), left_out


def _is_understood(definition: ProviderDefinition, config: Config) -> bool:
    alone = config.model_copy(update={"routing": Routing()})
    try:
        applied(RoutingDocument(providers=[definition]), alone)
    except PlatformError:
        return False
    return True


def section_of(definition: ProviderDefinition) -> dict[str, Any]:
    """A definition as the configuration file writes it."""
    section: dict[str, Any] = {"models": {model.name: model.upstream or model.name for model in definition.models}}
    if definition.type:
        section["type"] = definition.type
    for name, key in _KEYS.items():
        if definition.HasField(name):
            section[key] = getattr(definition, name)
    return section


def text_of(document: RoutingDocument) -> str:
    """Canonical JSON: the same document gives the same text."""
    return _encode(json_format.MessageToDict(document, preserving_proto_field_name=True)).decode()


def of_text(text: str) -> RoutingDocument:
    """Fields that only a later release knows are left out."""
    return json_format.Parse(text, RoutingDocument(), ignore_unknown_fields=True)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_KEYS = {
    "base_url": "base_url",
    "enabled": "enabled",
    "weight": "weight",
    "priority": "priority",
    "timeout_ms": "timeout",
    "retry_count": "retry_count",
}
"""Field of a definition -> key of the configuration file."""


def _definition(name: str, provider: Provider) -> ProviderDefinition:
    models = provider.models if isinstance(provider.models, dict) else {model: model for model in provider.models}
    return ProviderDefinition(
        name=name,
        type=provider.type,
        models=[ProviderModel(name=public, upstream=upstream) for public, upstream in models.items()],
        **{field: getattr(provider, key) for field, key in _KEYS.items()},
    )


def _refuse_odd(document: RoutingDocument) -> None:
    """What the file cannot say, or protobuf can say and the file not."""
    for param, message in _oddities(document):
        raise PlatformError(Code.INVALID_REQUEST, f"The rules are refused: {param}: {message}.", param=param)


def _oddities(document: RoutingDocument) -> Iterator[tuple[str, str]]:
    if not document.providers:
        yield "providers", "needs at least one; disable those that are to take no calls"
    if len(document.providers) > MOST_PROVIDERS:
        yield "providers", f"has more than {MOST_PROVIDERS}"
    names: set[str] = set()
    for index, definition in enumerate(document.providers):
        if not _NAME.match(definition.name):
            yield f"providers[{index}].name", "must be 1 to 64 letters, digits and . _ -, the first no sign"
        if definition.name in names:
            yield f"providers[{index}].name", f"{definition.name} is there twice"
        names.add(definition.name)
        if len(definition.base_url) > LONGEST_URL:
            yield f"providers.{definition.name}.base_url", f"is longer than {LONGEST_URL} characters"
        yield from _odd_models(definition)


def _odd_models(definition: ProviderDefinition) -> Iterator[tuple[str, str]]:
    where = f"providers.{definition.name}.models"
    if len(definition.models) > MOST_MODELS:
        yield where, f"has more than {MOST_MODELS}"
    names: set[str] = set()
    for index, model in enumerate(definition.models):
        for field, value in (("name", model.name), ("upstream", model.upstream)):
            if len(value) > 256 or not value.isprintable() or value != "".join(value.split()):
                yield f"{where}[{index}].{field}", "must be the name of a model, at most 256 characters without blanks"
        if not model.name:
            yield f"{where}[{index}].name", "is required"
        if model.name in names:
            yield f"{where}[{index}].name", f"{model.name} is there twice"
        names.add(model.name)


def _api_name(key: str) -> str:
    return re.sub(r"^(providers\..+)\.timeout$", r"\1.timeout_ms", key).removeprefix("routing.")
