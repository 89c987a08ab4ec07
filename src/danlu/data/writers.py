"""A model behind an OpenAI-compatible API that writes for augmentation; standard library only."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from email.message import Message as Headers
from typing import IO, Any
from urllib.parse import urlsplit

import orjson

from danlu.models.messages import Message
from danlu.recipe.augmentation import OpenAIWriter
from danlu.recipe.errors import UserError

# Answers that say 'later': too many requests, and faults of the server.
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds; doubled at each try unless the server names its own
_LARGEST_REPLY = 16 * 2**20  # bytes
# Codes of a request that is refused for what its text says, not for how it is asked.
_ABOUT_THE_TEXT = ("content_filter", "content_policy", "data_inspection", "context_length", "string_above_max_length")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Headers, newurl: str
    ) -> None:
        return None


class _Refused(Exception):
    """The server will not write for this text; the row gets no child, the others go on."""


class OpenAIWrite:
    """Conversations in, texts out, over `POST base_url/chat/completions`; some at a time, answers in order.

    `report` counts requests, retries by cause, refusals and tokens. The key stands in no error, log or report.
    """

    def __init__(self, config: OpenAIWriter, pause: Callable[[float], None] = time.sleep) -> None:
        self._config, self._pause = config, pause
        self._key = _key_of(config)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if _is_local(config.base_url):
            handlers.append(urllib.request.ProxyHandler({}))  # what runs on this machine needs no proxy
        self._opener = urllib.request.build_opener(*handlers)
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._counts: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def report(self) -> dict[str, Any]:
        """Requests, retries by cause, refusals, and tokens as the server counts them."""
        with self._lock:
            return {**dict(sorted(self._counts.items())), "retries": dict(sorted(self._retries.items()))}

    def __call__(self, conversations: Sequence[list[Message]], temperature: float) -> list[str]:
        """A text for each conversation, in order; '' where the server refuses to write for it.

        Raises:
            UserError: no server there, a key or model it does not know, a fault that outlives all retries.
        """
        if not conversations:
            return []
        with ThreadPoolExecutor(min(self._config.concurrency, len(conversations))) as pool:
            futures = [pool.submit(self._one, conversation, temperature) for conversation in conversations]
            done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
            if waiting:
                for future in waiting:
                    future.cancel()
            for future in futures:
                if future in done and (error := future.exception()):
                    raise error
        return [future.result() for future in futures]

    def _one(self, conversation: list[Message], temperature: float) -> str:
        body = orjson.dumps(
            {
                "model": self._config.model,
                "messages": conversation,
                "temperature": temperature,
                "max_tokens": self._config.max_tokens,
                "seed": _seed_of(conversation),
                **self._config.extra_body,
            }
        )
        for attempt in range(self._config.retries + 1):
            self._count("requests")
            try:
                return self._text(self._post(body))
            except _Refused:
                self._count("refused")
                return ""
            except urllib.error.HTTPError as error:
                cause, after = f"HTTP {error.code}", error.headers.get("Retry-After", "")
            except TimeoutError:
                cause, after = "timeout", ""
            except (ConnectionError, http.client.HTTPException) as error:
                cause, after = type(error).__name__, ""
            if attempt < self._config.retries:
                self._count_retry(cause)
                self._pause(_seconds(after, attempt))
        raise UserError(
            f"the server did not answer after {self._config.retries + 1} tries (last: {cause})",
            where=self._url,
            fix="look at the server; lower concurrency, raise timeout or retries of the writer, then run again",
        )

    def _post(self, body: bytes) -> Any:
        """The decoded answer. Raises HTTPError, TimeoutError or ConnectionError where another try may help."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "danlu"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._config.timeout) as response:
                raw = response.read(_LARGEST_REPLY)
        except urllib.error.HTTPError as error:
            with error:
                self._sort_out(error.code, error.read(65536))
                raise
        except urllib.error.URLError as error:
            self._sort_out_connection(error)
            raise AssertionError from error  # the line above always raises
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise self._problem("the answer is not JSON", "is base_url that of an OpenAI-compatible API?") from None

    def _sort_out(self, status: int, raw: bytes) -> None:
        """Nothing where another try may help; else why none will.

        Raises:
            UserError: what the user can mend.
            _Refused: the request's text is the reason.
        """
        if status in _AGAIN:
            return
        code = _code_of(raw)
        if status in (400, 413, 422) and (status == 413 or any(mark in code for mark in _ABOUT_THE_TEXT)):
            raise _Refused
        env, model = self._config.api_key_env, self._config.model
        if status in (401, 403):
            sent = f"the key in {env}" if self._key else "a request without a key"
            raise self._problem(f"the server refuses {sent} (HTTP {status})", f"put a valid key into {env}")
        if status == 404:
            raise self._problem(
                f"HTTP 404: no such model or address (model '{model}')",
                "check writer.model against the server's /v1/models, and that base_url ends as its API does (/v1)",
            )
        if 300 <= status < 400:
            raise self._problem(f"the server redirects (HTTP {status})", "give the final address as base_url")
        told = f", code {code}" if code else ""
        raise self._problem(
            f"the server refuses the request (HTTP {status}{told})", "check writer.model and extra_body"
        )

    def _sort_out_connection(self, error: urllib.error.URLError) -> None:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            raise reason
        if isinstance(reason, ConnectionError) and not isinstance(reason, ConnectionRefusedError):
            raise reason
        raise self._problem(f"cannot connect ({reason})", "start the server, or correct base_url") from None

    def _text(self, answer: Any) -> str:
        try:
            choice = answer["choices"][0]
            content = choice["message"].get("content")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise self._problem("the answer has no choices[0].message", "is this an OpenAI-compatible API?") from None
        usage = answer.get("usage") or {}
        for name in ("prompt_tokens", "completion_tokens"):
            if isinstance(usage.get(name), int):
                self._count(name, usage[name])
        if choice.get("finish_reason") == "content_filter":
            raise _Refused
        if choice.get("finish_reason") == "length":
            self._count("cut_off")  # half a question is none
            return ""
        return content if isinstance(content, str) else ""

    def _problem(self, reason: str, fix: str) -> UserError:
        return UserError(reason, where=self._url, fix=fix)

    def _count(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def _count_retry(self, cause: str) -> None:
        with self._lock:
            self._retries[cause] += 1


def openai_writer(config: OpenAIWriter) -> OpenAIWrite:
    """What writes over this API; its key is read now.

    Raises:
        UserError: the environment variable with the key is not set, and the server is not on this machine or network.
    """
    return OpenAIWrite(config)


def _key_of(config: OpenAIWriter) -> str:
    key = os.environ.get(config.api_key_env, "").strip()
    if not key and not _is_local(config.base_url):
        raise UserError(
            f"the environment variable {config.api_key_env} is not set, and this server is not a local one",
            where="data.augment.steps.writer.api_key_env",
            fix=f"export {config.api_key_env}=..., or name another variable in api_key_env",
        )
    if any(ord(character) < 33 or ord(character) > 126 for character in key):
        raise UserError(
            f"the key in {config.api_key_env} has characters that no key has (spaces, or beyond ASCII)",
            where="data.augment.steps.writer.api_key_env",
            fix="set it again, without quotes",
        )
    return key


def _is_local(url: str) -> bool:
    """Whether the server is on this machine or a private network, by its address or name."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".internal", ".localhost"))


def _seed_of(conversation: list[Message]) -> int:
    """Servers that take a seed give the same text for the same question in another run (31 bits)."""
    digest = hashlib.blake2b(orjson.dumps(conversation), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def _code_of(raw: bytes) -> str:
    """Code and type of an error answer. Its message stays out of ours: servers quote the text they refuse."""
    try:
        error = orjson.loads(raw)["error"]
        return " ".join(str(error[name])[:60] for name in ("code", "type") if error.get(name))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ""


def _seconds(retry_after: str, attempt: int) -> float:
    """How long to wait: what the server asks for, else twice as long each time; a minute at most."""
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(retry_after)))
    except ValueError:
        return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
