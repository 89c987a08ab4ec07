"""POST /v1/chat/completions: from the body of a request to a prompt, an answer, and its parts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.models.chat import RenderingProblem
from danlu.models.messages import THINK_START, MessageProblem, as_tools
from danlu.recipe.serve import ServeSection
from danlu.serving.answer_parts import AnswerSplitter, Part
from danlu.serving.chat_request import ChatRequest, parse_chat_request
from danlu.serving.chat_response import DONE, ChatResponse, event
from danlu.serving.errors import BadRequest, error_response
from danlu.serving.worker import Answer, EngineFailed, EngineWorker

MAX_BODY_BYTES = 16 * 2**20
CLIENT_CLOSED_REQUEST = 499


class ChatService:
    """Answers chat requests for one model.

    A field that the request leaves out is taken from the model's generation_config (`Engine.defaults`): so the
    temperature is what the model's makers recommend, or 0.7 where they recommend nothing.
    """

    def __init__(self, worker: EngineWorker, model_name: str, config: ServeSection, thinking_default: bool) -> None:
        self._worker = worker
        self._model_name = model_name
        self._config = config
        self._thinking_default = thinking_default
        # One thread, never more: a tokenizer keeps `split_special_tokens` as state between calls, so two threads
        # encoding at once could turn a user's text into control tokens
        self._rendering = ThreadPoolExecutor(1, thread_name_prefix="danlu-render")

    async def complete(self, request: Request) -> Response:
        """The response to a request; errors of this room are raised, see `error_response`."""
        chat = parse_chat_request(await read_body(request))
        if chat.model != self._model_name:
            raise BadRequest(
                f"the model '{chat.model}' does not exist here; this server has '{self._model_name}'",
                "model",
                "model_not_found",
                404,
            )
        self._worker.check_room()
        wanted, splitter = await asyncio.get_running_loop().run_in_executor(self._rendering, self._prepare, chat)
        options = chat.stream_options
        usage = options is not None and options.include_usage
        response = ChatResponse(self._model_name, len(wanted.prompt_ids), include_usage=usage)
        answer = await self._worker.submit(wanted)
        if chat.stream:
            return EventStream(answer, stream(answer, splitter, response))
        try:
            return await unless_disconnected(request, whole(answer, splitter, response))
        finally:
            answer.close()

    def close(self) -> None:
        """End the rendering thread."""
        self._rendering.shutdown(wait=False)

    def _prepare(self, chat: ChatRequest) -> tuple[GenerationRequest, AnswerSplitter]:
        """The request to the engine, and what will take its answer apart."""
        renderer = self._worker.engine.renderer
        switches = chat.chat_template_kwargs
        asked = None if switches is None else switches.enable_thinking
        thinking = self._thinking_default if asked is None else asked
        try:
            tools = None if chat.tool_choice == "none" else as_tools(chat.tools)
        except MessageProblem as error:
            raise BadRequest(str(error), "tools", "invalid_value") from None
        try:
            prompt = renderer.encode_prompt(chat.messages, thinking=thinking, tools=tools)
        except (MessageProblem, RenderingProblem) as error:
            raise BadRequest(str(error), "messages", "invalid_value") from None
        # Some templates open the thinking in the prompt
        opened = renderer.decode(prompt[-4:], special=True).rstrip().endswith(THINK_START)
        request = GenerationRequest(f"chat-{uuid.uuid4().hex}", prompt, self._sampling(chat, len(prompt)))
        return request, AnswerSplitter(tools=tools is not None, thinking=opened)

    def _sampling(self, chat: ChatRequest, prompt_tokens: int) -> Sampling:
        limit, defaults = self._config.max_new_tokens, self._worker.engine.defaults
        new = chat.new_tokens
        if new is None:
            # What is left of the context; if nothing is, the engine says so, with the numbers
            new = max(1, min(limit, self._worker.engine.max_context - prompt_tokens))
        elif new > limit:
            param = "max_completion_tokens" if chat.max_tokens is None else "max_tokens"
            raise BadRequest(f"'{param}' is {new}, but this server allows at most {limit}", param, "invalid_value")
        return Sampling(
            max_new_tokens=new,
            temperature=defaults.temperature if chat.temperature is None else chat.temperature,
            top_p=defaults.top_p if chat.top_p is None else chat.top_p,
            top_k=defaults.top_k if chat.top_k is None else chat.top_k,
            seed=chat.seed,
            stop=chat.stop_texts,
        )


async def whole(answer: Answer, splitter: AnswerSplitter, response: ChatResponse) -> Response:
    """The response of an answer that is not streamed."""
    parts: list[Part] = []
    async for delta in answer:
        response.completion_tokens += len(delta.token_ids)
        parts += splitter.push(delta.text)
        if delta.finish_reason is not None:
            parts += splitter.finish()
            return JSONResponse(response.whole(parts, delta.finish_reason))
    raise EngineFailed("the answer ended without a reason")


async def stream(answer: Answer, splitter: AnswerSplitter, response: ChatResponse) -> AsyncIterator[str]:
    """The events of a streamed answer; an error in the middle becomes the last event."""
    try:
        yield response.first_chunk()
        async for delta in answer:
            response.completion_tokens += len(delta.token_ids)
            parts = splitter.push(delta.text)
            if delta.finish_reason is not None:
                parts += splitter.finish()
            for part in parts:
                yield response.chunk(part)
            if delta.finish_reason is not None:
                yield response.last_chunks(delta.finish_reason)
    except EngineFailed as error:
        yield event(json.loads(bytes(error_response(error).body))) + DONE


class EventStream(StreamingResponse):
    """Server-sent events of an answer, which is cancelled when they can no longer be sent, begun or not."""

    def __init__(self, answer: Answer, events: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.close()


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The result of `work`, which is cancelled as soon as the client hangs up."""
    working = asyncio.ensure_future(work)
    listening = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        for task in (working, listening):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        BadRequest: too large (413), or the client hung up while sending it.
    """
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise BadRequest(f"the body is larger than {MAX_BODY_BYTES} bytes", code="too_large", status=413)
    except ClientDisconnect:
        raise BadRequest("the client hung up", status=CLIENT_CLOSED_REQUEST) from None
    return bytes(body)
