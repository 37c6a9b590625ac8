"""Messages as JSON values: the same as protobuf's own mapping."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from llm_platform.admin_dashboard.operations import OPERATIONS
from llm_platform.dashboard import json_form
from llm_platform.user_dashboard.operations import OPERATIONS as OF_USERS

REPLIES = {operation.reply.full_name: operation.reply for operation in (*OPERATIONS, *OF_USERS)}
VALUES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**64 - 1),
    FieldDescriptor.CPPTYPE_INT32: (0, -1, 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, 0.1, -2.5e300, float("inf")),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, 0.5),
}


def some(of: Descriptor, chance: random.Random, depth: int = 0) -> Message:
    message = GetMessageClass(of)()
    for field in of.fields:
        if chance.random() < 0.3 or depth > 4:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.message_type is not None:
            parts = [some(field.message_type, chance, depth + 1) for _ in range(chance.randrange(1, 3))]
        elif field.type == FieldDescriptor.TYPE_BYTES:
            parts = [chance.randbytes(chance.randrange(5))]
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            parts = [chance.choice(("", "Ключ", '"\\\n', "=1"))]
        elif field.enum_type is not None:
            parts = [chance.choice(field.enum_type.values).number]
        else:
            parts = [chance.choice(VALUES[field.cpp_type])]
        if field.is_repeated:
            getattr(message, field.name).extend(parts)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(parts[0])
        else:
            setattr(message, field.name, parts[0])
    return message


@pytest.mark.parametrize("of", list(REPLIES.values()), ids=list(REPLIES))
def test_every_reply_is_written_as_protobuf_writes_it(of: Descriptor) -> None:
    chance = random.Random(7)  # noqa: S311
    for message in (GetMessageClass(of)(), *(some(of, chance) for _ in range(30))):
        assert json_form.written(message) == json_format.MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
