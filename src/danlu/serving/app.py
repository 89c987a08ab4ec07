"""The application: routes, errors and the life of the engine's worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

import danlu
from danlu.inference.engine import Engine
from danlu.recipe.errors import UserError
from danlu.recipe.serve import ServeSection
from danlu.serving.chat import ChatService
from danlu.serving.chat_request import ChatRequest
from danlu.serving.errors import BadRequest, error_body, error_response
from danlu.serving.worker import EngineFailed, EngineWorker, Unavailable

STATES = {"ready": "ok", "draining": "draining", "closed": "draining", "failed": "failed"}


def create_app(engine: Engine, *, model_name: str, config: ServeSection, thinking_default: bool = False) -> FastAPI:
    """An OpenAI-compatible API over an engine, which belongs to the application from now on.

    A request without a temperature gets the one of the model's generation_config, or 0.7 if that has none; so do
    top_p and top_k (1 and off). `thinking_default` holds where chat_template_kwargs.enable_thinking is absent.
    The worker is `app.state.worker`.
    """
    worker = EngineWorker(engine, config.max_waiting)
    service = ChatService(worker, model_name, config, thinking_default)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        await worker.stop()
        service.close()

    app = FastAPI(title="Danlu", version=danlu.__version__, lifespan=lifespan)
    app.state.worker = worker
    for kind in (BadRequest, UserError, Unavailable, EngineFailed, HTTPException, Exception):
        app.add_exception_handler(kind, _on_error)
    _add_routes(app, service, model_name)
    return app


def _add_routes(app: FastAPI, service: ChatService, model_name: str) -> None:
    model = {"id": model_name, "object": "model", "created": int(time.time()), "owned_by": "danlu"}
    body = {"required": True, "content": {"application/json": {"schema": _plain_schema()}}}

    @app.post("/v1/chat/completions", openapi_extra={"requestBody": body}, summary="Answer a conversation")
    async def chat_completions(request: Request) -> Response:
        return await service.complete(request)

    @app.get("/v1/models", summary="The model of this server")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [model]}

    @app.get("/v1/models/{name:path}", summary="The model of this server, by its name")
    async def one_model(name: str) -> dict[str, Any]:
        if name != model_name:
            raise BadRequest(f"the model '{name}' does not exist here", "model", "model_not_found", 404)
        return model

    @app.get("/healthz", summary="Whether requests are taken")
    async def health() -> JSONResponse:
        state = app.state.worker.state
        return JSONResponse({"status": STATES[state]}, 200 if state == "ready" else 503)


async def _on_error(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # of the router: no such path, or another method
        return JSONResponse(error_body(str(error.detail), "invalid_request_error"), error.status_code, error.headers)
    return error_response(error)


def _plain_schema() -> dict[str, Any]:
    """The request's JSON schema with its definitions written out in place, as one operation's schema must be."""
    schema = ChatRequest.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            return inlined(definitions[name]) if name else {key: inlined(item) for key, item in value.items()}
        return [inlined(item) for item in value] if isinstance(value, list) else value

    plain: dict[str, Any] = inlined(schema)
    return plain
