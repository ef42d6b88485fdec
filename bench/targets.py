"""The targets of speed and memory: one table, the command `compare.py all` that measures it, and its pages."""
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from typing import NamedTuple, Optional

import measure
import picture
from pairs import MODELS, RESULTS, ROOT, SIZES, WEFT, machine, machine_text, progress

PAIRS = 15  # what a published ratio is a median of, at least
PAGE = os.path.join(ROOT, "docs", "speed.md")
FIVE = [model for model in MODELS if model != "gru"]
LINEAR = ["retnet", "fast_weights", "linear_transformer"]
TITLES = {"transformer": "softmax", "retnet": "RetNet", "linear_transformer": "linear", "fast_weights": "delta rule",
          "treefold": "TreeFold", "gru": "GRU"}


class Target(NamedTuple):
    work: str
    kind: str    # of measurement
    figure: str  # of those it gives
    models: list
    size: str
    floor: float
    goal: Optional[float] = None
    least: bool = False  # less is better
    position: int = 0    # of generation


STEP = "f32 training step, times PyTorch's best"
BF16 = "training step with products in bf16, times PyTorch's best under autocast"
SHARE = "the same step, part of the measured FMA peak"
EAGER = "generation, times eager PyTorch"
COMPILED = "generation, times compiled PyTorch"
CACHE = "softmax with its cache at position 4,000, times PyTorch's best"
MEMORY = "memory of a training step, part of PyTorch's least"
GAIN = "gain from 1 to 2 threads, part of the FMA peak's own"
TARGETS = [
    Target(STEP, "train", "x_best", ["transformer", "retnet", "linear_transformer"], "S", 1.5, 1.8),
    Target(STEP, "train", "x_best", ["fast_weights", "treefold"], "S", 1.7, 2.2),
    Target(STEP, "train", "x_best", FIVE, "M", 1.4, 1.65),
    Target(STEP, "train", "x_best", LINEAR, "L", 1.5, 2),
    Target(SHARE, "train", "share", FIVE, "M", 0.75, 0.88),
    Target(BF16, "bf16", "x_best", FIVE, "M", 1.2),
    Target("training step, times a Python loop over time", "train", "x_loop", ["fast_weights"], "S", 8),
    Target("training step, times torch.nn.GRU", "train", "x_best", ["gru"], "M", 1, 1.3),
    Target(EAGER, "generate", "x_eager", ["retnet", "fast_weights"], "S", 15, 25, position=100),
    Target(EAGER, "generate", "x_eager", ["retnet", "fast_weights"], "M", 4, position=100),
    Target(COMPILED, "generate", "x_compile", ["retnet", "fast_weights"], "S", 4, position=100),
    Target(CACHE, "generate", "x_best", ["transformer"], "S", 4, position=4000),
    Target(CACHE, "generate", "x_best", ["transformer"], "M", 2.5, position=4000),
    Target(MEMORY, "train", "memory", FIVE, "M", 0.65, 0.5, least=True),
    Target(MEMORY, "train", "memory", LINEAR, "L", 0.65, 0.5, least=True),
    Target("start of a run to the end of its first step, s", "start", "seconds", ["retnet"], "S", 0.3, least=True),
    Target(GAIN, "gain", "gain", ["retnet"], "M", 0.9),
    Target(GAIN, "gain", "gain", ["retnet"], "S", 0.8),
]


def measurements(args):
    """What has to be measured, each once: kind, model, size, position."""
    return list(dict.fromkeys((t.kind, model, t.size, t.position) for t in TARGETS for model in t.models
                              if t.size in args.size and model in args.model))


def measured(kind, model, size, position, args, torch):
    args.precision = "bf16" if kind == "bf16" else "f32"
    if kind in ("train", "bf16"):
        return measure.training(model, size, args, torch)
    if kind == "generate":
        return measure.generation(model, size, [position], args, torch)[0]
    return {"start": measure.start, "gain": measure.gain}[kind](model, size, args)


def rows_of(results, program):
    """A row for each target and model, with what was reached, if anything was, and whether by an earlier program."""
    rows = []
    for t in TARGETS:
        for model in t.models:
            result = results.get((t.kind, model, t.size, t.position), {})
            reached = result.get(t.figure)
            better = lambda limit: reached["median"] <= limit if t.least else reached["median"] >= limit
            verdict = ("not measured" if not reached else "missed" if not better(t.floor)
                       else "goal" if t.goal is not None and better(t.goal) else "floor")
            rows.append({"work": t.work, "model": TITLES[model], "size": t.size, "floor": t.floor, "goal": t.goal,
                         "least": t.least, "reached": reached, "verdict": verdict,
                         "earlier": bool(reached) and result["program"] != program})
    return rows


def table(rows):
    lines = ["| work | model | reached (quartiles) | floor | goal | met |", "|---|---|---|---|---|---|"]
    for r in rows:
        limit = lambda name: "" if r[name] is None else f"{'at most ' if r['least'] else ''}{r[name]:g}"
        reached = picture.figure(r["reached"])
        lines.append(f"| {r['work']} | {r['model']} {r['size']} | {f'**{reached}**' if reached else '-'}"
                     f"{' °' if r['earlier'] else ''} "
                     f"| {limit('floor')} | {limit('goal')} | {r['verdict']} |")
    return "\n".join(lines) + "\n"


def fill_page(rows, about):
    with open(PAGE) as f:
        text = f.read()
    block = f"<!-- targets -->\n{about}\n\n![What was reached](../bench/results/targets.svg)\n\n{table(rows)}"
    with open(PAGE, "w") as f:
        f.write(re.sub(r"<!-- targets -->.*?<!-- end -->", lambda _: block + "<!-- end -->", text, flags=re.S))


def known_of(path, conditions, any_program):
    """What earlier runs have measured, by key; each says of which program it is. With `--go-on` of this program alone,
    with `--renew` of any, but always with the same pairs, threads and PyTorch."""
    with open(path) as f:
        before = json.load(f)
    program = before["conditions"]["program"]
    if before["conditions"] != {**conditions, **({"program": program} if any_program else {})}:
        sys.exit(f"{os.path.relpath(path, ROOT)} is of another program, or other pairs: start anew")
    return {tuple(m["key"]): {"program": program, **m} for m in before["measured"]}


def measure_all(args, torch):
    """All targets, written after each measurement: a run of hours may be cut short, and `--go-on` ends it. A failure
    costs its own row.

    Only a whole run changes bench/results/targets.* and the page, or one that renews a part of it (`--renew`), whose
    other rows are marked where they are of an earlier program; any other is a trial.
    """
    if args.quick:
        args.pairs, args.size = 3, ["S"]
    all_of_it = args.renew or (args.size, args.model) == (list(SIZES), MODELS)
    whole = torch and args.compile and args.pairs >= PAIRS and all_of_it
    path = os.path.join(RESULTS, "targets" if whole else "trial")
    with open(WEFT, "rb") as f:
        program = hashlib.sha256(f.read()).hexdigest()
    version = f"PyTorch {importlib.metadata.version('torch')}" if torch else "no PyTorch"
    conditions = {"program": program, "torch": version, "pairs": args.pairs, "threads": args.threads,
                  "clock": args.clock, "compile": args.compile}
    results = known_of(f"{path}.json", conditions, args.renew) if args.go_on or args.renew else {}
    keys = sorted(measurements(args), key=lambda key: list(SIZES).index(key[2]))  # the quick ones first
    for key in keys if args.renew else []:
        results.pop(key, None)
    failed, seen = {}, [m["on"] for m in results.values() if m["program"] == program]
    for i, key in enumerate(keys):
        name = " ".join(map(str, key[:3]))
        if key not in results:
            seen.append(machine(args))
            progress(f"{i + 1}/{len(keys)} {name}")
            try:
                results[key] = {"key": key, "program": program, "on": seen[-1], **measured(*key, args, torch)}
            except (SystemExit, subprocess.CalledProcessError) as why:
                failed[name] = str(why)
                progress(why)
        rows = rows_of(results, program)
        about = f"{machine_text(seen, args)}; {version}; {args.pairs} pairs."
        if any(r["earlier"] for r in rows):
            before = {m["on"]["text"] for m in results.values() if m["program"] != program} - {seen[-1]["text"]}
            about += f" °: measured with an earlier program{''.join(f'; {text}' for text in sorted(before))}."
        with open(f"{path}.json", "w") as f:
            json.dump({"about": about, "conditions": conditions, "rows": rows, "failed": failed,
                       "measured": list(results.values())}, f, indent=2)
        with open(f"{path}.svg", "w") as f:
            f.write(picture.draw(rows, about))
        if whole:
            fill_page(rows, about)
    if not whole:
        progress(f"a trial, in {os.path.relpath(path, ROOT)}.svg: docs/speed.md takes all sizes and models, "
                 f"{PAIRS} pairs, compiled PyTorch")
    return rows, table(rows)
