"""The writer behind an API, against a server on the loopback that does what each test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from danlu.data.writers import OpenAIWrite, openai_writer
from danlu.recipe.augmentation import OpenAIWriter
from danlu.recipe.errors import UserError

KEY = "sk-planted-4711"
Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Server:
    """Answers each request by a function of its body and of how many came before."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, Any], int], Answer] = lambda body, _: say(body["messages"][-1]["content"])
        self.running = self.most = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.requests.append({"path": self.path, **body})
                    outer.headers.append(dict(self.headers))
                    number = len(outer.requests)
                    outer.running += 1
                    outer.most = max(outer.most, outer.running)
                status, value, *more = outer.answer(body, number)
                with outer.lock:
                    outer.running -= 1
                raw = value if isinstance(value, bytes) else json.dumps(value).encode()
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                for name, text in (more[0] if more else {}).items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def say(text: str, **choice: Any) -> Answer:
    message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
    return 200, {"choices": [message], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def error(status: int, code: str = "", message: str = "") -> Answer:
    return status, {"error": {"message": message, "type": "x", "code": code}}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def writer(server: Server, pauses: list[float] | None = None, **fields: Any) -> OpenAIWrite:
    config = OpenAIWriter.model_validate({"base_url": server.url, "model": "qwen3", **fields})
    return OpenAIWrite(config, pause=(pauses if pauses is not None else []).append)


def ask(*texts: str) -> list[list[dict[str, Any]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_texts_come_back_in_order_whatever_finishes_first(server: Server) -> None:
    gate = threading.Event()

    def answer(body: dict[str, Any], number: int) -> Answer:
        text = body["messages"][-1]["content"]
        if text == "0":
            gate.wait(10)
        elif text == "9":
            gate.set()
        return say(f"{text}!")

    server.answer = answer
    assert writer(server, concurrency=10)(ask(*"0123456789"), 0.5) == [f"{i}!" for i in range(10)]


def test_a_request_holds_what_it_should(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    made = writer(
        server, api_key_env="MY_KEY", max_tokens=77, extra_body={"chat_template_kwargs": {"enable_thinking": False}}
    )
    made(ask("一", "一", "二"), 0.25)
    first = server.requests[0]
    assert first["path"] == "/v1/chat/completions" and first["model"] == "qwen3"
    assert first["temperature"] == 0.25 and first["max_tokens"] == 77
    assert first["chat_template_kwargs"] == {"enable_thinking": False}
    seeds = {request["messages"][0]["content"]: request["seed"] for request in server.requests}
    assert len(set(seeds.values())) == 2 and all(0 <= seed < 2**31 for seed in seeds.values())
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_no_more_requests_run_than_allowed(server: Server) -> None:
    barrier = threading.Barrier(3, timeout=10)

    def answer(body: dict[str, Any], number: int) -> Answer:
        barrier.wait()
        return say("x")

    server.answer = answer
    writer(server, concurrency=3)(ask(*"abcdef"), 0)
    assert server.most == 3


def test_a_busy_server_is_asked_again_and_it_is_counted(server: Server) -> None:
    answers: list[Answer] = [(429, {}, {"Retry-After": "7"}), error(503), (0, b""), say("ok")]
    server.answer = lambda body, number: answers[number - 1]
    pauses: list[float] = []
    made = writer(server, pauses)
    assert made(ask("x"), 0) == ["ok"]
    assert pauses == [7.0, 1.0, 2.0]
    assert made.report == {
        "requests": 4,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "retries": {"HTTP 429": 1, "HTTP 503": 1, "RemoteDisconnected": 1},
    }


def test_a_server_that_stays_busy_is_an_error(server: Server) -> None:
    server.answer = lambda body, number: error(500)
    with pytest.raises(UserError, match=r"did not answer after 3 tries \(last: HTTP 500\)"):
        writer(server, retries=2)(ask("x"), 0)
    assert len(server.requests) == 3


def test_a_slow_server_times_out(server: Server) -> None:
    gate = threading.Event()

    def answer(body: dict[str, Any], number: int) -> Answer:
        if number == 1:
            gate.wait(10)
        else:
            gate.set()
        return say("late")

    server.answer = answer
    made = writer(server, timeout=0.3)
    assert made(ask("x"), 0) == ["late"]
    assert made.report["retries"] == {"timeout": 1}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401), r"refuses the key in MY_KEY \(HTTP 401\)"),
        (error(404, "model_not_found"), "no such model or address"),
        (error(400, "bad_value"), r"refuses the request \(HTTP 400, code bad_value"),
        ((200, b"<html>"), "is not JSON"),
        ((200, {"choices": []}), "no choices"),
        ((200, [1]), "no choices"),
        ((302, {}, {"Location": "http://127.0.0.1:1/"}), "redirects"),
    ],
)
def test_what_no_retry_mends_is_an_error_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Answer, message: str
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.answer = lambda body, number: answer
    with pytest.raises(UserError, match=message) as caught:
        writer(server, api_key_env="MY_KEY")(ask("机密"), 0)
    assert len(server.requests) == 1
    assert server.url in caught.value.where and caught.value.fix
    assert KEY not in str(caught.value) and "机密" not in str(caught.value)


def test_errors_never_hold_the_key_or_the_text_even_if_the_server_quotes_them(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.answer = lambda body, number: error(400, message=f"{KEY} {body['messages'][0]['content']}")
    made = writer(server)
    with pytest.raises(UserError) as caught:
        made(ask("机密"), 0)
    assert KEY not in f"{caught.value!r} {caught.value} {made.report}" and "机密" not in str(caught.value)


@pytest.mark.parametrize("answer", [error(400, "content_filter"), error(400, "context_length_exceeded"), error(413)])
def test_a_refused_text_gives_nothing_and_the_others_go_on(server: Server, answer: Answer) -> None:
    server.answer = lambda body, number: answer if body["messages"][0]["content"] == "bad" else say("ok")
    made = writer(server)
    assert made(ask("a", "bad", "b"), 0) == ["ok", "", "ok"]
    assert made.report["refused"] == 1


def test_replies_that_are_cut_off_filtered_or_empty_give_nothing(server: Server) -> None:
    answers = [say("half", finish_reason="length"), say("x", finish_reason="content_filter"), say(None)]  # type: ignore[arg-type]
    server.answer = lambda body, number: answers[int(body["messages"][0]["content"])]
    made = writer(server)
    assert made(ask("0", "1", "2"), 0) == ["", "", ""]
    assert made.report["cut_off"] == 1 and made.report["refused"] == 1


def test_no_server_is_an_error_at_once(server: Server) -> None:
    config = OpenAIWriter(base_url="http://127.0.0.1:9/v1", model="x")
    with pytest.raises(UserError, match="cannot connect"):
        openai_writer(config)(ask("x"), 0)


def test_no_conversations_ask_nothing(server: Server) -> None:
    assert writer(server)([], 0) == [] and not server.requests


def test_a_server_elsewhere_needs_a_key_and_a_local_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    away = OpenAIWriter(base_url="https://api.example.com/v1", model="x", api_key_env="SOME_KEY")
    with pytest.raises(UserError, match="SOME_KEY is not set"):
        openai_writer(away)
    for url in ("http://localhost:8000/v1", "http://192.168.0.5/v1", "http://[::1]:1/v1", "http://gpu-box:8000/v1"):
        openai_writer(OpenAIWriter(base_url=url, model="x"))
    monkeypatch.setenv("SOME_KEY", "with space\nand line")
    with pytest.raises(UserError, match="characters that no key has") as caught:
        openai_writer(away)
    assert "with space" not in str(caught.value)


def test_no_key_sends_no_header(server: Server) -> None:
    writer(server)(ask("x"), 0)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://a/v1", "http://", "http://user:pass@host/v1", "http://a:x/v1", ""]
)
def test_addresses_that_are_none_are_refused_by_the_recipe(url: str) -> None:
    with pytest.raises(ValidationError):
        OpenAIWriter(base_url=url, model="x")
