"""Log lines: complete, parseable, without secrets, from every source."""

from __future__ import annotations

import dataclasses
import json
import logging as stdlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from llm_platform.core import logging
from llm_platform.core.config import Config, Logging, Service
from llm_platform.core.redaction import Secret
from llm_platform.proto import secrets_pb2

CANARY = "canary-4f1d9b7e2c"


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "out.log"
    logging.configure(
        Config(logging=Logging(output=str(path), level="debug"), service=Service(name="head", replica="head-1"))
    )
    root = stdlib.getLogger()
    yield path
    root.handlers.clear()
    root.setLevel(stdlib.WARNING)
    structlog.reset_defaults()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_who_and_what(output: Path) -> None:
    logging.get_logger("billing").info("committed", items=3, seconds=0.25, ok=True, nothing=None)
    (line,) = lines(output)
    timestamp = line.pop("timestamp")
    assert len(timestamp) == len("2026-11-21T02:06:52.038Z")
    assert timestamp.endswith("Z")
    assert line == {
        "level": "info", "logger": "billing", "event": "committed", "service": "head", "replica": "head-1",
        "items": 3, "seconds": 0.25, "ok": True, "nothing": None,
    }  # fmt: skip


def test_request_and_trace_ids_come_from_the_context(output: Path) -> None:
    request = logging.request_id.set("req_1")
    trace = logging.trace_id.set("ab" * 16)
    try:
        logging.get_logger("tail").info("with")
    finally:
        logging.request_id.reset(request)
        logging.trace_id.reset(trace)
    logging.get_logger("tail").info("without")
    first, second = lines(output)
    assert (first["request_id"], first["trace_id"]) == ("req_1", "ab" * 16)
    assert "request_id" not in second
    assert "trace_id" not in second


def test_the_level_filters(tmp_path: Path, output: Path) -> None:
    path = tmp_path / "quiet.log"
    logging.configure(Config(logging=Logging(output=str(path), level="warning")))
    log = logging.get_logger("x")
    log.info("no")
    log.warning("yes")
    stdlib.getLogger("alembic").info("no")
    stdlib.getLogger("alembic").warning("yes")
    assert [line["event"] for line in lines(path)] == ["yes", "yes"]


def test_the_standard_library_ends_in_the_same_place(output: Path) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        stdlib.getLogger("grpc._cython").exception("call %s failed", "x")
    stdlib.getLogger("aiohttp.access").info("not said twice")
    (line,) = lines(output)
    assert line["logger"] == "grpc._cython"
    assert line["event"] == "call x failed"
    assert "ValueError: boom" in line["exception"]


@dataclasses.dataclass
class Holder:
    name: str
    key: Secret[str]


class Stubborn:
    def __str__(self) -> str:
        return f"Bearer {CANARY}"


@pytest.mark.case(21)
def test_planted_secrets_never_reach_the_log(output: Path) -> None:
    log = logging.get_logger("x")
    log.info("typed", key=Secret(CANARY), nested={"a": [Secret(CANARY.encode())]}, held=Holder("n", Secret(CANARY)))
    log.info("named", api_key=CANARY, password=CANARY, nested={"authorization": f"Bearer {CANARY}"})
    log.info("patterns", url=f"https://h/?key={CANARY}", header=f"Authorization: Bearer {CANARY}", thing=Stubborn())
    log.info(f"in the event itself: sk-{CANARY}{CANARY}")
    log.info("message", message=secrets_pb2.Secret(path="p", value=CANARY.encode()))
    try:
        raise RuntimeError(f"GET https://api.example/v1?api_key={CANARY} failed") from ValueError(f"Bearer {CANARY}")
    except RuntimeError as error:
        log.exception("failed", error=error)
        stdlib.getLogger("aiohttp.client").exception("Authorization: Bearer %s", CANARY)
    written = output.read_text()
    assert CANARY not in written
    assert len(lines(output)) == 7
    assert "llm.v1.Secret" in written
    assert lines(output)[5]["exception"].startswith("ValueError")


def test_a_field_that_json_has_no_form_for_does_not_lose_the_line(output: Path) -> None:
    logging.get_logger("x").info("odd", lone="\ud800", value=2**200)
    (line,) = lines(output)
    assert "odd" in line["event"]


def test_a_message_that_does_not_fit_its_arguments_is_still_logged(output: Path) -> None:
    root = stdlib.getLogger()
    root.handlers[:] = [each for each in root.handlers if isinstance(each, logging._StdlibHandler)]  # not pytest's
    stdlib.getLogger("careless").warning("%d apples", "no number")
    assert lines(output)[0]["event"] == "%d apples"


def test_text_is_for_people(tmp_path: Path, output: Path) -> None:
    path = tmp_path / "text.log"
    logging.configure(Config(logging=Logging(output=str(path), format="text")))
    try:
        raise ValueError(f"password={CANARY}")
    except ValueError:
        logging.get_logger("head").exception("failed", model="gpt 4", count=2)
    text = path.read_text()
    first = text.splitlines()[0]
    assert "ERROR" in first
    assert 'head: failed model="gpt 4" count=2' in first
    assert "Traceback" in text
    assert CANARY not in text


def test_a_rotated_file_is_opened_again(output: Path) -> None:
    log = logging.get_logger("x")
    log.info("before")
    output.rename(output.with_suffix(".1"))
    logging.reopen()
    log.info("after")
    assert [line["event"] for line in lines(output)] == ["after"]


def test_a_closed_output_fails_no_request(output: Path) -> None:
    before = logging.lines_lost()
    logging._output._stream.close()
    logging.get_logger("x").info("lost")
    assert logging.lines_lost() == before + 1


def test_the_word_file_means_a_file_of_the_replica_in_the_data_directory(tmp_path: Path, output: Path) -> None:
    service = Service(replica="tail-1", data_dir=tmp_path / "data")
    logging.configure(Config(service=service, logging=Logging(output="file")))
    logging.get_logger("x").info("here")
    assert lines(tmp_path / "data" / "tail-1.log")[0]["event"] == "here"
