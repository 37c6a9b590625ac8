"""Both sides of a link over a pipe, so that a test sees every message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from grpc.aio import EOF

from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.link import Link
from llm_platform.relay.settings import Settings
from llm_platform.relay.stream import Stream
from tests.unit.relay.peers import hello, until


class Pipe:
    """A transport; what is written is kept, reads wait for ``deliver``. ``gate`` holds writes back."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._arriving: asyncio.Queue[Any] = asyncio.Queue()

    def deliver(self, *parts: bytes) -> None:
        self._arriving.put_nowait(inference_pb2.Batch(frames=b"".join(parts)).SerializeToString())

    def end(self) -> None:
        self._arriving.put_nowait(EOF)

    async def read(self) -> Any:
        return await self._arriving.get()

    async def write(self, message: bytes, /) -> None:
        self.written.append(message)
        await self.gate.wait()

    def frames(self, since: int = 0) -> list[frames.Frame]:
        return [frames.Frame(*frame) for message in self.written[since:] for frame in frames.decode(message)]


class Recorder(Stream):
    """A stream that keeps what it receives."""

    __slots__ = ("lost", "received")

    def __init__(self, link: Link, stream_id: int) -> None:
        super().__init__(link, stream_id)
        self.received: list[tuple[int, int, bytes]] = []
        self.lost = False
        link.streams[stream_id] = self

    def receive(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == frames.DATA:
            self.arrived(len(payload))
        self.received.append((kind, flags, payload))

    def broken(self) -> None:
        self.lost = True


@asynccontextmanager
async def running(settings: Settings | None = None) -> AsyncIterator[tuple[Link, Pipe]]:
    """A link that has said and heard its hello (window 64 KiB)."""
    pipe = Pipe()
    link = Link(pipe, inference_pb2.Hello(protocol_version=frames.VERSION), settings or Settings(), "peer")
    task = asyncio.create_task(link.run())
    pipe.deliver(hello())
    await until(lambda: link.peer is not None and pipe.written)
    await asyncio.sleep(0.005)  # longer than a busy link remembers
    try:
        yield link, pipe
    finally:
        link.close("test over")
        await task


async def test_everything_sent_within_one_turn_of_the_loop_is_one_message() -> None:
    async with running() as (link, pipe):
        for stream_id in range(1, 101):
            Recorder(link, stream_id).send(frames.DATA, b"chunk")
        await until(lambda: len(pipe.frames(since=1)) == 100)
        assert len(pipe.written) == 2
        assert link.frames_sent > link.messages_sent


async def test_what_is_sent_while_a_message_is_on_its_way_leaves_together_after_it() -> None:
    async with running() as (link, pipe):
        stream = Recorder(link, 1)
        pipe.gate.clear()
        stream.send(frames.DATA, b"first")
        await until(lambda: len(pipe.written) == 2)
        for _ in range(20):
            stream.send(frames.DATA, b"later")
            await asyncio.sleep(0)
        assert len(pipe.written) == 2
        pipe.gate.set()
        await until(lambda: len(pipe.frames(since=1)) == 21)
        assert len(pipe.written) == 3


async def test_a_chunk_leaves_an_idle_link_at_once() -> None:
    async with running(Settings(linger=60, linger_per_stream=60)) as (link, pipe):
        link._last_write = -1e9
        Recorder(link, 1).send(frames.DATA, b"chunk", linger=True)
        await until(lambda: len(pipe.written) == 2)


async def test_chunks_on_a_busy_link_wait_for_company_until_something_urgent_comes() -> None:
    async with running(Settings(linger=60, linger_per_stream=60)) as (link, pipe):
        streams = [Recorder(link, stream_id) for stream_id in range(1, 6)]
        for stream in streams:
            stream.send(frames.DATA, b"chunk", linger=True)
            await asyncio.sleep(0.002)
        assert len(pipe.written) == 1
        streams[0].send(frames.END, b"")
        await until(lambda: len(pipe.frames(since=1)) == 6)
        assert len(pipe.written) == 2


async def test_a_lingering_chunk_leaves_by_itself_after_the_linger() -> None:
    async with running(Settings(linger=0.02, linger_per_stream=1)) as (link, pipe):
        link._last_write = link.loop.time()
        Recorder(link, 1).send(frames.DATA, b"chunk", linger=True)
        await asyncio.sleep(0)
        assert len(pipe.written) == 1
        await until(lambda: len(pipe.written) == 2)


async def test_a_chunk_waits_by_the_number_of_open_requests() -> None:
    async with running(Settings(linger=60, linger_per_stream=0.001)) as (link, pipe):
        link._last_write = link.loop.time()
        Recorder(link, 1).send(frames.DATA, b"chunk", linger=True)
        await until(lambda: len(pipe.written) == 2)


async def test_a_large_body_and_small_requests_take_turns_frame_by_frame() -> None:
    async with running() as (link, pipe):
        large = Recorder(link, 1)
        large.credit = 20_000_000
        pipe.gate.clear()
        large.send(frames.DATA, bytes(20_000_000), frames.LAST)
        await until(lambda: len(pipe.written) == 2)
        for stream_id in range(2, 7):
            Recorder(link, stream_id).send(frames.DATA, b"small", frames.LAST)
        pipe.gate.set()
        await until(lambda: len(pipe.written) > 2)
        order = [frame.stream for frame in pipe.frames(since=2)][:8]
        assert [stream for stream in order if stream != 1] == [2, 3, 4, 5, 6]
        assert order[:7].count(1) <= 2, "the small ones waited for more than one frame of the large one"
        await until(lambda: large.committed)
        body = b"".join(frame.payload for frame in pipe.frames() if frame.stream == 1)
        assert len(body) == 20_000_000


async def test_no_frame_and_no_message_grows_with_the_body() -> None:
    async with running() as (link, pipe):
        stream = Recorder(link, 1)
        stream.credit = 5_000_000
        stream.send(frames.DATA, bytes(5_000_000), frames.LAST)
        await until(lambda: stream.committed)
        sent = [frame for frame in pipe.frames() if frame.kind == frames.DATA]
        assert max(len(frame.payload) for frame in sent) == frames.MAX_FRAME_BYTES
        assert all(frame.flags == frames.PART for frame in sent[:-1])
        assert sent[-1].flags == frames.LAST
        assert max(map(len, pipe.written)) <= frames.MAX_BATCH_BYTES + frames.MAX_FRAME_BYTES + 100


async def test_data_stops_at_the_credit_and_goes_on_with_more_while_others_pass() -> None:
    async with running() as (link, pipe):
        stalled, other = Recorder(link, 1), Recorder(link, 2)
        stalled.send(frames.DATA, bytes(100_000))
        other.send(frames.DATA, b"passes")
        await until(lambda: any(frame.stream == 2 for frame in pipe.frames()))
        assert sum(len(frame.payload) for frame in pipe.frames() if frame.stream == 1) == 65536
        writable = asyncio.create_task(stalled.writable())
        pipe.deliver(frames.frame(frames.CREDIT, 1, frames.encode_credit(65536)))
        await until(lambda: sum(len(frame.payload) for frame in pipe.frames() if frame.stream == 1) == 100_000)
        await writable


async def test_a_sender_waits_while_more_than_a_frame_is_unsent() -> None:
    async with running() as (link, _):
        stream = Recorder(link, 1)
        stream.send(frames.DATA, bytes(300_000))
        waiting = asyncio.create_task(stream.writable())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        link.forget(stream)
        await asyncio.wait_for(waiting, 1)
        assert stream.pending == 0


async def test_a_peer_that_exceeds_its_credit_loses_the_link() -> None:
    async with running(Settings(window_bytes=1000)) as (link, pipe):
        stream = Recorder(link, 1)
        pipe.deliver(frames.frame(frames.DATA, 1, bytes(600)), frames.frame(frames.DATA, 1, bytes(600)))
        await until(lambda: link.closed)
        await until(lambda: stream.lost)


async def test_unknown_kinds_are_skipped_by_their_length() -> None:
    async with running() as (link, pipe):
        stream = Recorder(link, 1)
        pipe.deliver(
            frames.frame(200, 0, b"of the link"),
            frames.frame(201, 77, b"of a stream unknown here"),
            frames.frame(frames.DATA, 1, b"seen"),
        )
        await until(lambda: stream.received)
        assert stream.received == [(frames.DATA, 0, b"seen")]


async def test_a_ping_is_answered_with_its_own_payload() -> None:
    async with running() as (_, pipe):
        pipe.deliver(frames.frame(frames.PING, payload=b"stamp"))
        await until(lambda: frames.Frame(frames.PONG, 0, 0, b"stamp") in pipe.frames())


async def test_a_silent_peer_is_dead_after_three_pings() -> None:
    async with running(Settings(ping_interval=0.02)) as (link, pipe):
        stream = Recorder(link, 1)
        await until(lambda: link.closed)
        await until(lambda: stream.lost)
        assert [frame.kind for frame in pipe.frames()].count(frames.PING) == 3


async def test_a_peer_that_answers_pings_lives_and_its_round_trip_is_known() -> None:
    async with running(Settings(ping_interval=0.01)) as (link, pipe):
        for _ in range(10):
            seen = len(pipe.written)
            await until(lambda seen=seen: len(pipe.written) > seen)  # type: ignore[misc]
            for frame in pipe.frames(since=seen):
                pipe.deliver(frames.frame(frames.PONG, payload=frame.payload))
        assert not link.closed
        assert link.round_trip is not None


async def test_a_peer_that_sends_pings_and_reads_nothing_does_not_grow_our_memory() -> None:
    async with running() as (link, pipe):
        pipe.gate.clear()
        for _ in range(20):
            pipe.deliver(*[frames.frame(frames.PING, payload=b"x")] * 100)
        await until(lambda: link.closed)
        assert len(link._control) <= 1024


async def test_streams_left_when_the_link_ends_hear_of_it_once() -> None:
    async with running() as (link, pipe):
        streams = [Recorder(link, stream_id) for stream_id in range(1, 4)]
        pipe.end()
        await until(lambda: all(stream.lost for stream in streams))
        assert not link.streams
        streams[0].send(frames.DATA, b"too late")
        assert not streams[0].outgoing


async def test_a_frame_before_the_hello_ends_the_link() -> None:
    pipe = Pipe()
    link = Link(pipe, inference_pb2.Hello(protocol_version=2), Settings(), "peer")
    pipe.deliver(frames.frame(frames.PING))
    await link.run()
    assert link.reason == "the peer sent a frame before its hello"


async def test_a_peer_without_a_hello_is_given_up() -> None:
    pipe = Pipe()
    link = Link(pipe, inference_pb2.Hello(protocol_version=2), Settings(hello_timeout=0.02), "peer")
    await link.run()
    assert link.reason == "no hello within 0.02 s"


async def test_an_ended_link_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with running() as (link, _):
        Recorder(link, 1)
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before
