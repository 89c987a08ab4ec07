"""One training run of one tool, measured from inside; started by speed.py in that tool's own environment.

    python contestant.py JSON

JSON: {"tool", "best", "precision", "model", "rows", "out", "rows_per_step"}. The last line on stdout is a JSON object:
for each step CPU and wall seconds since the process began, loss, gradient norm and non-padding tokens; and the peak
memory.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

LONGEST, RATE, RANK, ALPHA = 1024, 1e-4, 8, 16
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def since_start() -> float:
    """Wall seconds since this process was started, interpreter and imports included."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


class Log:
    """What is measured at the end of each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.tokens = 0
        self.learned = 0

    def end_of_step(self) -> None:
        self.steps.append({"cpu": cpu_seconds(), "wall": since_start(), "tokens": self.tokens, "learned": self.learned})
        self.tokens = self.learned = 0

    def add(self, **values: float) -> None:
        self.steps[-1].update(values)

    def print(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print("\n" + json.dumps({"steps": self.steps, "peak": peak}), flush=True)


def danlu(given: dict[str, Any], log: Log) -> None:
    """The whole road: rows are read, rendered and tokenised, then trained; `best` is how it comes."""
    from danlu.pipeline.execute import execute
    from danlu.recipe.recipe import Recipe
    from danlu.runs import Workspace

    recipe = Recipe.model_validate(
        {
            "name": "speed",
            "seed": 0,
            "model": {"base": given["model"]},
            "data": {
                "sources": [{"path": given["rows"]}],
                "clean": [],
                "split": {"validation": 0.0, "test": 0.0, "near_duplicates": None},
                "max_tokens": LONGEST,
            },
            "train": {
                "method": {"type": "lora", "rank": RANK, "alpha": ALPHA},
                "optimizer": {"learning_rate": RATE, "schedule": "constant", "warmup": 0},
                "batch": {"step_rows": given["rows_per_step"], **given.get("batch", {})},
                "decoder": "auto" if given["best"] else "transformers",
                "epochs": 1,
                "precision": given["precision"],
            },
        }
    )

    def told(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            log.tokens, log.learned = event["tokens"], event["learned"]
            log.end_of_step()
            log.add(loss=event["loss"], norm=event["grad_norm"])

    execute(recipe, Workspace(given["out"]), until="train", command="train", on_event=told)


def callback(log: Log, pad: int) -> Any:
    """transformers' hooks: counts what the model is given, and takes the time when a step ends."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            def count(_module: Any, positional: Any, named: dict[str, Any]) -> None:
                log.tokens += int((named["input_ids"] != pad).sum())
                log.learned += int((named["labels"] != -100).sum()) if named.get("labels") is not None else 0

            kwargs["model"].register_forward_pre_hook(count, with_kwargs=True)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            log.end_of_step()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                log.add(loss=float(logs["loss"]), norm=float(logs["grad_norm"]))

    return Watch()


def trainer_settings(given: dict[str, Any]) -> dict[str, Any]:
    """What is the same for everything that is built on transformers' Trainer."""
    rows = given["rows_per_step"]
    return {
        "output_dir": given["out"],
        "num_train_epochs": 1,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "bf16": given["precision"] == "bf16",
        "disable_tqdm": True,
        "per_device_train_batch_size": 1 if given["best"] else rows,
        "gradient_accumulation_steps": rows if given["best"] else 1,
        "train_sampling_strategy": "sequential",
    }


def plain_trainer(given: dict[str, Any], log: Log) -> None:
    """transformers and PEFT, as their documentation shows; best: a row at a time, so without padding."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(given["model"])
    dtype = torch.bfloat16 if given["precision"] == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(given["model"], dtype=dtype)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=LINEARS, task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    rows = []
    for line in Path(given["rows"]).read_text().splitlines():
        made = tokenizer.apply_chat_template(
            json.loads(line)["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids = made["input_ids"][:LONGEST]
        mask = made["assistant_masks"][:LONGEST]
        labels = [token if own else -100 for token, own in zip(ids, mask, strict=True)]
        rows.append({"input_ids": ids, "labels": labels, "attention_mask": [1] * len(ids)})
    Trainer(
        model=model,
        args=TrainingArguments(**trainer_settings(given)),
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        callbacks=[callback(log, tokenizer.pad_token_id)],
    ).train()


def trl(given: dict[str, Any], log: Log) -> None:
    """SFTTrainer; best: packed (bfd) with 1 x 2 packs, or a row at a time where `unpacked` is asked for."""
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    dtype = "bfloat16" if given["precision"] == "bf16" else "float32"
    settings = trainer_settings(given) | {
        "max_length": LONGEST,
        "assistant_only_loss": True,
        "model_init_kwargs": {"dtype": dtype},
    }
    if given["best"]:
        settings["gradient_checkpointing"] = False
        if not given.get("unpacked"):
            settings |= {"packing": True, "packing_strategy": "bfd", "gradient_accumulation_steps": 2}
    pad = AutoTokenizer.from_pretrained(given["model"]).pad_token_id
    SFTTrainer(
        model=given["model"],
        args=SFTConfig(**settings),
        train_dataset=load_dataset("json", data_files=given["rows"], split="train", cache_dir=given["out"] + "/cache"),
        peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=LINEARS, task_type="CAUSAL_LM"),
        callbacks=[callback(log, pad)],
    ).train()


def llamafactory(given: dict[str, Any], log: Log) -> None:
    """Its own entry point; best: neat packing with 1 x 2 packs, no recomputation."""
    from llamafactory.train.tuner import run_exp
    from transformers import AutoTokenizer

    folder = Path(given["out"]) / "data"
    folder.mkdir(parents=True)
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    described = {
        "file_name": given["rows"],
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {**tags, "system_tag": "system"},
    }
    (folder / "dataset_info.json").write_text(json.dumps({"rows": described}))
    settings = trainer_settings(given)
    settings.pop("train_sampling_strategy")
    settings |= {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": given["model"],
        "dataset": "rows",
        "dataset_dir": str(folder),
        "template": "chatml",
        "cutoff_len": LONGEST,
        "finetuning_type": "lora",
        "lora_rank": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "lora_target": "all",
        "disable_shuffling": True,
        "overwrite_cache": True,
        "report_to": "none",
    }
    if given["best"]:
        settings |= {
            "packing": True,
            "neat_packing": True,
            "flash_attn": "sdpa",
            "gradient_accumulation_steps": 2,
            "disable_gradient_checkpointing": True,
        }
    pad = AutoTokenizer.from_pretrained(given["model"]).pad_token_id
    run_exp(settings, [callback(log, pad)])


TOOLS = {"danlu": danlu, "trainer": plain_trainer, "trl": trl, "llamafactory": llamafactory}


def main() -> None:
    given = json.loads(sys.argv[1])
    log = Log()
    TOOLS[given["tool"]](given, log)
    log.print()


if __name__ == "__main__":
    main()
