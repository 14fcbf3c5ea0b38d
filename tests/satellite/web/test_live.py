"""The channel of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from levo.satellite.web.live import MAX_SUBSCRIBERS, LiveChannel

REQUEST = Request({"type": "http", "method": "GET", "path": "/live", "headers": [], "query_string": b""})


async def open_stream(channel: LiveChannel) -> AsyncIterator[str]:
    response = await channel.events(REQUEST)
    assert isinstance(response, StreamingResponse)
    stream: AsyncIterator[str] = response.body_iterator.__aiter__()  # type: ignore[assignment]
    assert await anext(stream) == "retry: 2000\n\n"
    return stream


def test_a_watcher_is_told_the_newest_number_and_no_number_twice() -> None:
    async def run() -> None:
        channel = LiveChannel(lambda organization: 0)
        channel.publish(4)
        stream = await open_stream(channel)
        assert await anext(stream) == "event: catalog\nid: 4\ndata: 4\n\n"
        for revision in (5, 6, 6, 7):
            channel.publish(revision)
        assert "data: 7\n" in await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        channel.publish(7)
        await asyncio.sleep(0)
        assert not waiting.done()
        channel.publish(8)
        assert "data: 8\n" in await asyncio.wait_for(waiting, 60)

    asyncio.run(run())


def test_closing_ends_all_streams_and_takes_no_new_ones() -> None:
    async def run() -> None:
        channel = LiveChannel(lambda organization: 0)
        streams = [await open_stream(channel) for _ in range(3)]
        for stream in streams:
            await anext(stream)
        ends = [asyncio.ensure_future(anext(stream, None)) for stream in streams]
        await asyncio.sleep(0)
        assert channel.subscribers == 3
        channel.close()
        channel.close()
        assert await asyncio.wait_for(asyncio.gather(*ends), 60) == [None] * 3
        assert channel.subscribers == 0
        assert (await channel.events(REQUEST)).status_code == 503

    asyncio.run(run())


def test_watchers_are_bounded() -> None:
    async def run() -> None:
        channel = LiveChannel(lambda organization: 0)
        streams = [await open_stream(channel) for _ in range(MAX_SUBSCRIBERS)]
        answer = await channel.events(REQUEST)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        await streams.pop().aclose()  # type: ignore[attr-defined]
        assert (await channel.events(REQUEST)).status_code == 200

    asyncio.run(run())
