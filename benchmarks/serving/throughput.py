"""Tokens per second of TransformersEngine against transformers' own generate(), in one process, turn by turn.

    OMP_NUM_THREADS=1 PYTHONPATH=src:. python benchmarks/serving/throughput.py [--model FOLDER] [--dtype fp32]

Without a folder a random Qwen3 of 26 million parameters is measured (the tokens mean nothing, the work is real). Every
request has a prompt and an answer length of its own, as users do, and no answer ends early. generate() gets all of
them as one left-padded batch and runs until the longest answer is done; the engine gets the same rows at once. Counted
are the tokens asked for, per wall second and per CPU second: medians of three interleaved rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.inference.engine import generate
from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.chat import ChatRenderer
from danlu.models.loading import DTYPES, load_model, load_renderer

ROUNDS = 3
CONCURRENT = (1, 8, 32)


def main() -> None:
    """Measure and print one line for each number of concurrent requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp32")
    options = parser.parse_args()
    model, renderer = load(options.model, DTYPES[options.dtype])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters / 1e6:.0f} M parameters, {options.dtype}, {torch.get_num_threads()} thread(s)")
    print("requests | engine tok/s  per CPU s | generate() tok/s  per CPU s | ratio per CPU s")
    for count in CONCURRENT:
        requests = workload(count, model.config.vocab_size)
        rounds = [(timed(engine_run, model, renderer, requests), timed(generate_run, model, renderer, requests))
                  for _ in range(ROUNDS)]  # fmt: skip
        tokens = sum(request.sampling.max_new_tokens for request in requests)
        ours, theirs = ([statistics.median(tokens / one[who][at] for one in rounds) for at in (0, 1)] for who in (0, 1))
        columns = f"{ours[0]:12.0f}  {ours[1]:9.0f} | {theirs[0]:16.0f}  {theirs[1]:9.0f}"
        print(f"{count:8} | {columns} | {ours[1] / theirs[1]:.2f}", flush=True)


def load(folder: Path | None, dtype: torch.dtype) -> tuple[Any, ChatRenderer]:
    """The model of a folder, or a random one; with nothing that would end an answer early."""
    if folder is None:
        from tests.tiny import build_tiny_tokenizer

        torch.manual_seed(0)
        config = Qwen3Config(
            vocab_size=32_000, hidden_size=384, intermediate_size=1152, num_hidden_layers=8, num_attention_heads=6,
            num_key_value_heads=2, head_dim=64, max_position_embeddings=4096, tie_word_embeddings=True,
        )  # fmt: skip
        model: Any = Qwen3ForCausalLM(config)
        model = model.to(dtype).eval()
        with tempfile.TemporaryDirectory() as name:
            renderer = load_renderer(build_tiny_tokenizer(Path(name)))
    else:
        model, renderer = load_model(folder, dtype=dtype), load_renderer(folder)
    model.generation_config = GenerationConfig(pad_token_id=0)  # type: ignore[no-untyped-call]
    return model, renderer


def workload(count: int, vocabulary: int) -> list[GenerationRequest]:
    """Prompts of 16 to 128 tokens, answers of 16 to 128."""
    generator = torch.Generator().manual_seed(count)
    sizes = torch.randint(16, 129, (count, 2), generator=generator).tolist() if count > 1 else [[72, 72]]
    return [
        GenerationRequest(
            str(index), torch.randint(1, vocabulary, (prompt,), generator=generator).tolist(), Sampling(new)
        )
        for index, (prompt, new) in enumerate(sizes)
    ]


def engine_run(model: Any, renderer: ChatRenderer, requests: list[GenerationRequest]) -> None:
    """All requests through the engine."""
    engine = TransformersEngine(model, renderer, max_batch=len(requests))
    engine._end_ids = frozenset()
    generate(engine, requests)


def generate_run(model: Any, _: ChatRenderer, requests: list[GenerationRequest]) -> None:
    """All requests as one batch of transformers' generate()."""
    longest = max(len(request.prompt_ids) for request in requests)
    padded = [[0] * (longest - len(request.prompt_ids)) + request.prompt_ids for request in requests]
    ids = torch.tensor(padded)
    with torch.no_grad():
        model.generate(
            ids,
            attention_mask=(ids != 0).long(),
            max_new_tokens=max(request.sampling.max_new_tokens for request in requests),
            do_sample=False,
        )


def timed(run: Callable[..., None], *given: Any) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)."""
    wall, processor = time.perf_counter(), time.process_time()
    run(*given)
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
