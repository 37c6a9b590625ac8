"""What the simulator says: the same answer, and the same usage, streamed or not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.simulator.behaviour import Behaviour

_WORDS = ("Grüße", " aus", " 世界", ",", " dear", " friend", " 🌍", " and", ' "quotes"', " \n")
CREATED = 1_790_000_000


@dataclass(frozen=True)
class Answer:
    """One completion."""

    id: str
    model: str
    pieces: tuple[str, ...]
    calls: tuple[tuple[str, str, str], ...]
    """Tool calls: (id, name, arguments)."""
    finish_reason: str
    usage: dict[str, Any]

    def completion(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.pieces) or None, "refusal": None}
        if self.calls:
            message["tool_calls"] = [
                {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id_, name, arguments in self.calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self.usage}

    def chunks(self, behaviour: Behaviour, usage_asked: bool) -> Iterator[dict[str, Any]]:
        """The chunks of the stream; the first one only has the role."""
        says_usage = (usage_asked or behaviour.always_usage) and behaviour.usage != "none"
        yield self._chunk({"role": "assistant", "content": None if self.calls else ""}, says_usage)
        for number, piece in enumerate(self.pieces, 1):
            chunk = self._chunk({"content": piece}, says_usage)
            if says_usage and behaviour.usage == "every_chunk":
                chunk["usage"] = self.usage | {"completion_tokens": number}
            yield chunk
        for index, (id_, name, _) in enumerate(self.calls):
            function = {"name": name, "arguments": ""}
            yield self._chunk({"tool_calls": [{"index": index, "id": id_, "type": "function", "function": function}]})
        # Parallel calls grow side by side, a character at a time.
        columns = itertools.zip_longest(*(arguments for _, _, arguments in self.calls))
        for column in columns:
            for index, character in enumerate(column):
                if character is not None:
                    yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": character}}]})
        last = self._chunk({}, says_usage, self.finish_reason)
        if says_usage and behaviour.usage in {"last_choice", "every_chunk"}:
            last["usage"] = self.usage
        yield last
        if says_usage and behaviour.usage == "own_chunk":
            yield self._head("chat.completion.chunk") | {"choices": [], "usage": self.usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": CREATED, "model": self.model, "system_fingerprint": "fp_sim"}

    def _chunk(self, delta: dict[str, Any], null_usage: bool = False, finish: str | None = None) -> dict[str, Any]:
        chunk = self._head("chat.completion.chunk") | {
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        }
        if null_usage:
            chunk["usage"] = None
        return chunk


def answer_to(request: dict[str, Any], behaviour: Behaviour, number: int) -> Answer:
    """Deterministic but for its id. Tools that are given are all called, side by side."""
    limit = request.get("max_completion_tokens") or request.get("max_tokens") or behaviour.tokens
    pieces: tuple[str, ...] = tuple(itertools.islice(itertools.cycle(_WORDS), min(behaviour.tokens, limit)))
    if behaviour.line:
        pieces = ("x" * behaviour.line, *pieces[1:])
    calls: tuple[tuple[str, str, str], ...] = ()
    if request.get("tools") and request["messages"][-1]["role"] != "tool" and request.get("tool_choice") != "none":
        pieces = ()
        calls = tuple(
            (f"call_{index}", tool["function"]["name"], json.dumps({"city": "Zürich", "n": index}, ensure_ascii=False))
            for index, tool in enumerate(request["tools"])
        )
    prompt = max(len(json.dumps(request["messages"])) // 4, 1)
    produced = len(pieces) + sum(len(arguments) for *_, arguments in calls)
    finish_reason = "tool_calls" if calls else "length" if behaviour.tokens > limit else "stop"
    said = 0 if behaviour.uncounted else produced
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": said,
        "total_tokens": prompt + said,
        "prompt_tokens_details": {"cached_tokens": prompt // 2, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": said // 2, "audio_tokens": 0},
    }
    return Answer(f"chatcmpl-sim{number}", request["model"], pieces, calls, finish_reason, usage)
