"""``llm-gateway chat``: talks to a running entry over HTTP, as any application does."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from llm_platform.cli.output import Format, FormatOption, fail, print_json

DEFAULT_URL = "http://127.0.0.1:8080"

Message = dict[str, str]


def chat(
    message: Annotated[str, typer.Argument(help="What to say. Default: standard input, or a conversation.")] = "",
    model: Annotated[str, typer.Option(help="Default: the platform's.")] = "",
    system: Annotated[str, typer.Option(help="System message.")] = "",
    max_tokens: Annotated[int, typer.Option(min=0, help="0: no limit of its own.")] = 0,
    stream: Annotated[bool, typer.Option(help="Show the answer while it comes.")] = True,
    url: Annotated[str, typer.Option(envvar="LLM_GATEWAY_URL", help="Address of the entry.")] = DEFAULT_URL,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds of silence before giving up.")] = 120,
    output: FormatOption = Format.TABLE,
) -> None:
    """Sends a message to the platform and prints the answer. The API key is taken from LLM_GATEWAY_KEY."""
    client = ChatClient(url, os.environ.get("LLM_GATEWAY_KEY", "").strip(), timeout)
    options = {"model": model or None, "max_tokens": max_tokens or None}
    conversation: list[Message] = [{"role": "system", "content": system}] if system else []
    if not message and sys.stdin.isatty():
        _converse(client, conversation, options)
        return
    conversation.append({"role": "user", "content": message or sys.stdin.read()})
    if output is Format.JSON:
        print_json(client.complete(conversation, options))
    elif stream:
        _print_stream(client, conversation, options)
    else:
        print(_content(client.complete(conversation, options)))


class ChatClient:
    """A small client of ``/v1/chat/completions``."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        try:
            parts = urlsplit(url)
            self._address = (parts.hostname or "", parts.port)
        except ValueError as error:
            raise fail(f"{url!r} is not an address: {error}.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise fail(f"{url!r} is not an http or https address.")
        if not (key.isascii() and key.isprintable()):
            # Not shown: it may be a key with something pasted to it.
            raise fail("LLM_GATEWAY_KEY holds characters that no key has.")
        self._url = url
        self._secure = parts.scheme == "https"
        self._path = f"{parts.path.rstrip('/').removesuffix('/v1')}/v1/chat/completions"
        self._headers = {"content-type": "application/json", "user-agent": "llm-gateway"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout = timeout

    def complete(self, messages: list[Message], options: dict[str, Any]) -> dict[str, Any]:
        """The whole answer."""
        body: dict[str, Any] = json.loads(self._post(messages, options, stream=False).read())
        return body

    def stream(self, messages: list[Message], options: dict[str, Any]) -> Iterator[str]:
        """Pieces of the answer's text as they come."""
        for line in self._post(messages, options, stream=True):
            field, _, text = line.rstrip(b"\r\n").partition(b":")
            if field != b"data" or text.strip() == b"[DONE]":
                continue
            event = json.loads(text)
            if error := event.get("error"):
                raise fail(f"the answer broke off: {error.get('message', error)}")
            for choice in event.get("choices", []):
                if piece := choice.get("delta", {}).get("content"):
                    yield piece

    def _post(self, messages: list[Message], options: dict[str, Any], *, stream: bool) -> http.client.HTTPResponse:
        body = {"messages": messages, "stream": stream, **{k: v for k, v in options.items() if v is not None}}
        connect = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = connect(*self._address, timeout=self._timeout)
        try:
            connection.request("POST", self._path, json.dumps(body), self._headers)
            response = connection.getresponse()
        except OSError as error:
            raise fail(
                f"cannot reach {self._url}: {error}", "Start one with: llm-gateway serve. Or set LLM_GATEWAY_URL."
            ) from None
        if response.status != 200:
            raise _refused(response)
        return response


def _refused(response: http.client.HTTPResponse) -> typer.Exit:
    text = response.read().decode("utf-8", "replace")
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = text[:500]
    hint = f"Request id: {response.headers.get('x-request-id', 'none')}"
    if response.status == 401:
        hint += "\nSet LLM_GATEWAY_KEY to a key of this platform: llm-gateway keys create NAME"
    return fail(f"{response.status}: {message}", hint)


def _content(answer: dict[str, Any]) -> str:
    message: dict[str, Any] = answer["choices"][0]["message"]
    return str(message.get("content") or json.dumps(message.get("tool_calls"), ensure_ascii=False))


def _print_stream(client: ChatClient, conversation: list[Message], options: dict[str, Any]) -> str:
    pieces = []
    for piece in client.stream(conversation, options):
        print(piece, end="", flush=True)
        pieces.append(piece)
    print()
    return "".join(pieces)


def _converse(client: ChatClient, conversation: list[Message], options: dict[str, Any]) -> None:
    """Questions and answers until the end of input; the platform is told the whole conversation each time."""
    print("An empty line or Ctrl-D ends the conversation.", file=sys.stderr)
    while True:
        try:
            question = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            question = ""
        if not question:
            return
        conversation.append({"role": "user", "content": question})
        conversation.append({"role": "assistant", "content": _print_stream(client, conversation, options)})
