# SPDX-License-Identifier: Apache-2.0
"""When is an agent not needed any more? So that a benched host has nothing of ours running between two runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio

LOOKS = 10
"""So often within the patience the agent looks."""


class Calls(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs alone
    """Counts the calls under way, and knows when the last one ended."""

    def __init__(self) -> None:
        self.open = 0
        self.last = time.monotonic()

    @contextmanager
    def _one(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self.last = time.monotonic()

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """The method's handler with the count around it; None stays None: gRPC then answers UNIMPLEMENTED."""
        handler = await continuation(details)
        if handler is None:
            return None
        coders = (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream), *coders)
        return grpc.unary_unary_rpc_method_handler(self._reply(handler.unary_unary), *coders)

    def _reply(self, inner: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def reply(request: Any, context: Any) -> Any:
            with self._one():
                return await inner(request, context)

        return reply

    def _stream(
        self, inner: Callable[[Any, Any], AsyncIterator[Any]]
    ) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._one():
                async for reply in inner(request, context):
                    yield reply

        return stream


async def until_idle(calls: Calls, idle: Callable[[], bool], patience_s: float) -> None:
    """Until there was no call for ``patience_s``, and ``idle`` says that nothing is to be done."""
    while calls.open or time.monotonic() - calls.last < patience_s or not idle():
        await asyncio.sleep(patience_s / LOOKS)
