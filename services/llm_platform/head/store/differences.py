"""What a revision changed: the fields that two documents differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from google.protobuf import json_format

from llm_platform.proto.routing_pb2 import RuleChange
from llm_platform.proto.rules_pb2 import ProviderDefinition, RoutingDocument

_encode = msgspec.json.Encoder(order="sorted").encode


def differences(before: RoutingDocument, after: RoutingDocument) -> list[RuleChange]:
    """From ``before`` to ``after``; empty when they mean the same. Providers in the order of their names."""
    return list(_differences(before, after))


def _differences(before: RoutingDocument, after: RoutingDocument) -> Iterator[RuleChange]:
    old, new = _fields(before), _fields(after)
    for name in ("strategy", "failover_enabled"):
        yield from _change(name, old.get(name), new.get(name))
    providers_before = {each.name: each for each in before.providers}
    providers_after = {each.name: each for each in after.providers}
    for name in sorted(providers_before.keys() | providers_after.keys()):
        yield from _of_provider(f"providers.{name}", providers_before.get(name), providers_after.get(name))
    order_before = [name for name in providers_before if name in providers_after]
    order_after = [name for name in providers_after if name in providers_before]
    if order_before != order_after:
        yield from _change("providers", ", ".join(order_before), ", ".join(order_after))


def _of_provider(
    path: str, before: ProviderDefinition | None, after: ProviderDefinition | None
) -> Iterator[RuleChange]:
    if before is None or after is None:
        yield from _change(path, _whole(before), _whole(after))
        return
    old, new = _fields(before), _fields(after)
    for name in sorted((old.keys() | new.keys()) - {"models"}):
        yield from _change(f"{path}.{name}", old.get(name), new.get(name))
    models_before, models_after = _models(before), _models(after)
    for model in sorted(models_before.keys() | models_after.keys()):
        yield from _change(f"{path}.models.{model}", models_before.get(model), models_after.get(model))


def _change(path: str, before: Any, after: Any) -> Iterator[RuleChange]:
    if before != after:
        yield RuleChange(path=path, before=_text(before), after=_text(after))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _encode(value).decode()


def _fields(message: RoutingDocument | ProviderDefinition) -> Mapping[str, Any]:
    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _models(definition: ProviderDefinition) -> dict[str, str]:
    return {model.name: model.upstream or model.name for model in definition.models}


def _whole(definition: ProviderDefinition | None) -> dict[str, Any] | None:
    if definition is None:
        return None
    return {**_fields(definition), "models": _models(definition)}
