"""Weft beside PyTorch on the same models, weights, windows, precision and threads.

    bench/compare.py train [--size S] [--model retnet] [--pairs 15] [--no-compile]
    bench/compare.py generate [--position 100 1000]
    bench/compare.py products
    bench/compare.py start                 from the start of a run to its first step
    bench/compare.py gain                  from one thread to two
    bench/compare.py all [--quick]         every target, into docs/speed.md; --quick: a trial, 3 pairs at size S
    bench/compare.py all --go-on           the same, from where it was cut short
    bench/compare.py all --renew --size L  these rows of the page anew, the others as they were, and marked

Both programs stay alive and take turns, so that a slow moment of the machine meets both; what is printed is the median
of the paired ratios with its quartiles. First it is checked that the twins are twins: the same loss and the same
gradient norm from the same weights. Results go to bench/results/<command>.json and .md. Without PyTorch it measures
Weft alone. docs/speed.md has the rules.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time

import measure
import targets
from pairs import (MODELS, RESULTS, SIZES, STREAMS, WEFT, has_torch, machine_text, progress, quartiles, weft_json,
                   write_description)


def ratio_text(q, digits=2):
    if not q:
        return "-"
    return f"**{q['median']:.{digits}f}** ({q['low']:.{digits}f}-{q['high']:.{digits}f})"


def training_table(rows, args):
    seen = [m for r in rows for m in r["machine"]]
    lines = [machine_text(seen, args), "",
             "| model | tokens/s: Weft / eager / compiled | Weft's share of the peak | x eager (quartiles) "
             "| x compiled (quartiles) | x time loop | MB above the start |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        three = [r.get(who) for who in ("weft", "eager", "compile")]
        speeds = " / ".join(f"{w['tokens_per_second']:.0f}" if w else "-" for w in three)
        memory = " / ".join(f"{w['memory_above_start'] / 1e6:.0f}" if w else "-" for w in three)
        ratios = " | ".join(ratio_text(r.get(x)) for x in ("x_eager", "x_compile", "x_loop"))
        lines.append(f"| {r['model']} {r['size']} | {speeds} | {r['share']['median']:.2f} | {ratios} | {memory} |")
    return "\n".join(lines) + "\n"


def train(args, torch):
    rows = []
    for size in args.size:
        for model in args.model:
            rows.append(measure.training(model, size, args, torch))
            progress(training_table(rows[-1:], args))
    return rows, training_table(rows, args)


def products(args, torch):
    """The products of `weft bench backends` beside PyTorch's."""
    rows = []
    for turn in range(args.pairs):
        ours = weft_json("bench", "backends", "--steps", 5, "--threads", args.threads, "--clock", args.clock)
        for i, p in enumerate(ours["products"]):
            if turn == 0:
                rows.append({**{key: p[key] for key in ("what", "pattern", "a", "b")}, "weft": [], "torch": []})
            fast = [g for g in p["gflops"] if g["products"] in ("blas", "packed")]
            rows[i]["weft"].append(max(g["median"] for g in fast))
            if torch:
                rows[i]["torch"].append(torch_product(p, args))
    table = ["| product | pattern | GFLOP/s: Weft / PyTorch | x PyTorch (quartiles) |", "|---|---|---|---|"]
    for r in rows:
        r["ratio"] = quartiles([o / t for o, t in zip(r["weft"], r["torch"])]) if torch else None
        theirs = f"{statistics.median(r['torch']):.0f}" if torch else "-"
        table.append(f"| {r['what']} | `{r['pattern']}` | {statistics.median(r['weft']):.0f} / {theirs} "
                     f"| {ratio_text(r['ratio'])} |")
    return rows, "\n".join(table) + "\n"


def torch_product(p, args):
    import torch
    torch.set_num_threads(args.threads)
    now = {"wall": time.perf_counter, "cpu": time.process_time}[args.clock]
    a, b = torch.rand(p["a"]) - 0.5, torch.rand(p["b"]) - 0.5
    flops = 2
    for n in dict(zip(p["pattern"].split("->")[0].replace(",", ""), p["a"] + p["b"])).values():
        flops *= n
    seconds = []
    with torch.inference_mode():
        for _ in range(6):
            start = now()
            torch.einsum(p["pattern"], a, b)
            seconds.append(now() - start)
    return flops / statistics.median(seconds[1:]) * 1e-9


def generate(args, torch):
    rows = []
    for size in args.size:
        for model in args.model:
            if model in STREAMS:
                rows += measure.generation(model, size, args.position, args, torch)
    table = ["| model | position | us a token: Weft / eager / compiled | x eager (quartiles) "
             "| x compiled (quartiles) |", "|---|---|---|---|---|"]
    for r in rows:
        times = " / ".join(f"{r['us'][who]:.0f}" if who in r["us"] else "-" for who in ("weft", "eager", "compile"))
        table.append(f"| {r['model']} {r['size']} | {r['position']} | {times} | {ratio_text(r.get('x_eager'), 1)} "
                     f"| {ratio_text(r.get('x_compile'), 1)} |")
    return rows, "\n".join(table) + "\n"


def start(args, torch):
    rows = [measure.start(model, size, args) for size in args.size for model in args.model]
    table = ["| model | s to the plan (quartiles) | s to the end of the first step (quartiles) |", "|---|---|---|"]
    table += [f"| {r['model']} {r['size']} | {ratio_text(r['plan'])} | {ratio_text(r['seconds'])} |" for r in rows]
    return rows, "\n".join(table) + "\n"


def gain(args, torch):
    rows = [measure.gain(model, size, args) for size in args.size for model in args.model]
    table = ["| model | a step's gain (quartiles) | the peak's | the first as a part of the second |",
             "|---|---|---|---|"]
    table += [f"| {r['model']} {r['size']} | " + " | ".join(ratio_text(r[x]) for x in ("step", "peak", "gain")) + " |"
              for r in rows]
    return rows, "\n".join(table) + "\n"


COMMANDS = {"train": train, "generate": generate, "products": products, "start": start, "gain": gain,
            "all": targets.measure_all}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu, with --threads 1: processor time, for a machine that others use, too")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32",
                        help="train: of products, in PyTorch by autocast; `all` measures both")
    parser.add_argument("--position", nargs="+", type=int, default=[100, 1000])
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    parser.add_argument("--quick", action="store_true", help="all: a trial, 3 pairs at size S")
    parser.add_argument("--go-on", action="store_true", help="all: one that was cut short, from where it stopped")
    parser.add_argument("--renew", action="store_true",
                        help="all: measure what --size and --model name, keep the other rows of the page")
    args = parser.parse_args()
    if not os.path.exists(WEFT):
        sys.exit("build/weft is not there; `./weft --help` builds it")
    torch = has_torch()
    with tempfile.TemporaryDirectory() as folder:
        args.vocab = weft_json("check", write_description(folder, "retnet", "S"))["tensors"][0]["shape"][0]
    os.makedirs(RESULTS, exist_ok=True)
    rows, table = COMMANDS[args.command](args, torch)
    print(table)
    if args.command != "all":  # which writes as it goes
        for ending, text in (("json", json.dumps(rows, indent=2) + "\n"), ("md", table)):
            with open(os.path.join(RESULTS, f"{args.command}.{ending}"), "w") as f:
                f.write(text)


if __name__ == "__main__":
    main()
