import asyncio
from collections import Counter

from levo.demo.loopback import LOOPBACK, ApiServer, Clients
from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic


def with_server(work):
    async def main():
        api = SampleApi(1)
        server = ApiServer(api)
        await server.start()
        try:
            return await asyncio.wait_for(work(api, server), 30)
        finally:
            await server.close()
            await server.close()

    return asyncio.run(main())


def test_clients_get_an_answer_to_every_request() -> None:
    async def work(api: SampleApi, server: ApiServer) -> Counter[int]:
        stop, statuses = asyncio.Event(), Counter[int]()
        async for status in Clients(Traffic(1, api.shop), server.port, rate=500).exchanges(stop):
            statuses[status] += 1
            if statuses.total() == 300:
                stop.set()
        return statuses

    statuses = with_server(work)

    assert statuses.total() == 300
    assert {200, 201, 204, 404} <= set(statuses)


def test_nonsense_is_answered_with_400_and_a_close() -> None:
    async def work(api: SampleApi, server: ApiServer) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
        writer.write(b"nonsense\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    assert with_server(work).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_client_that_leaves_inside_a_body_harms_nobody() -> None:
    async def work(api: SampleApi, server: ApiServer) -> bytes:
        _, leaving = await asyncio.open_connection(LOOPBACK, server.port)
        leaving.write(b"POST /v1/users HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        leaving.close()
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
        writer.write(b"GET /health HTTP/1.1\r\n\r\n")
        line = await reader.readline()
        writer.close()
        return line

    assert with_server(work) == b"HTTP/1.1 200 OK\r\n"
