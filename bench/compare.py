"""Weft beside PyTorch on the same models, weights, windows, precision and threads.

    bench/compare.py train [--size S] [--model retnet] [--pairs 15] [--no-compile]
    bench/compare.py products
    bench/compare.py generate [--position 100 1000]

Both programs stay alive and take turns, so that a slow moment of the machine meets both; what is printed is the median
of the paired ratios with its quartiles. First it is checked that the twins are twins: the same loss and the same
gradient norm from the same weights. Results go to bench/results/<command>.json and .md. Without PyTorch it measures
Weft alone. docs/performance.md has the rules.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEFT = os.path.join(ROOT, "build", "weft")
TWIN = os.path.join(ROOT, "bench", "torch_models.py")
# `steps` make a turn: at S a single one, 20 ms, would be as long as the machine needs to change over.
SIZES = {
    "S": {"D": 128, "H": 4, "layers": 4, "length": 64, "batch": 12, "steps": 8},
    "M": {"D": 384, "H": 6, "layers": 6, "length": 256, "batch": 16, "steps": 1},
}
MODELS = ["transformer", "retnet", "linear_transformer"]
LOSS_TOLERANCE = 1e-5  # relative: f32 sums of a hundred thousand terms, in two orders
NORM_TOLERANCE = 1e-4  # the norm adds up the squares of all gradients, each with more roundings than the loss has

DESCRIPTION = """schema: 1
name: {model}_{size}
model: [{{use: std/{model}, with: {{D: {D}, H: {H}, layers: {layers}}}}}]
data: {{text: {{builtin: weft}}}}
train:
  batch: {batch}
  context: {length}
  steps: 100000
  optimizer: {{adamw: {{lr: 3e-5}}}}
  schedule: {{constant: {{warmup: 0}}}}
"""


class Worker:
    """A program that answers each line with a line of JSON."""

    def __init__(self, *words, threads):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([str(w) for w in words], stdin=pipe, stdout=pipe, text=True, env=env)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, n):
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        return self.read()["seconds"]

    def end(self):
        """The last words of the program."""
        self.process.stdin.close()
        last = self.read()
        self.process.wait()
        return last


def weft_json(*words):
    done = subprocess.run([WEFT, *map(str, words), "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def ours_on(args):
    """Threads and clock. With one thread nothing waits for another, so that processor time is work."""
    threads = ["--parallel", "serial"] if args.threads == 1 else ["--threads", args.threads]
    return ["--clock", args.clock, *threads]


def rival(args, model, size, weights, mode, length=None):
    """PyTorch with the twin of `model` and our weights."""
    sizes = json.dumps({**SIZES[size], "length": length or SIZES[size]["length"], "vocab": args.vocab})
    return Worker(sys.executable, TWIN, model, sizes, weights, mode, args.threads, args.clock, threads=args.threads)


def has_torch():
    if all(importlib.util.find_spec(name) for name in ("torch", "safetensors")):
        return True
    print("PyTorch is not there (pip install torch safetensors numpy): Weft is measured alone", file=sys.stderr)
    return False


def quartiles(values):
    if len(values) == 1:
        values = values * 2
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"low": low, "median": median, "high": high}


def times_as_fast(ours, theirs):
    """Pair by pair, from seconds."""
    return quartiles([t / o for o, t in zip(ours, theirs)])


def ratio_text(q, digits=2):
    if not q:
        return "-"
    return f"**{q['median']:.{digits}f}** ({q['low']:.{digits}f}-{q['high']:.{digits}f})"


def write_description(folder, model, size):
    path = os.path.join(folder, f"{model}_{size}.yaml")
    with open(path, "w") as f:
        f.write(DESCRIPTION.format(model=model, size=size, **SIZES[size]))
    return path


def check_twin(name, ours, theirs):
    for what, tolerance in (("first_loss", LOSS_TOLERANCE), ("first_gradient_norm", NORM_TOLERANCE)):
        if not abs(ours[what] - theirs[what]) <= tolerance * abs(ours[what]):
            sys.exit(f"{name}: no twins: {what} is {ours[what]} in Weft and {theirs[what]} in PyTorch")


def compare_training(model, size, args, torch):
    s = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "start.safetensors")
        ours = Worker(WEFT, "bench", write_description(folder, model, size), "--paced", "--hand-over", weights,
                      *ours_on(args), threads=args.threads)
        start = ours.read()
        modes = [] if not torch else ["eager", "compile"] if args.compile else ["eager"]
        rivals = {mode: rival(args, model, size, weights, mode) for mode in modes}
        first = {mode: worker.read() for mode, worker in rivals.items()}
        for mode in modes:
            check_twin(f"{model} {size} {mode}", start, first[mode])
        workers = {"weft": ours, **rivals}
        turns = {who: [] for who in workers}
        for _ in range(args.pairs):
            for who, worker in workers.items():
                turns[who].append(statistics.median(worker.ask(s["steps"])))
        last = {who: worker.end() for who, worker in workers.items()}
    row = {"model": model, "size": size, "pairs": args.pairs}
    for who, seconds in turns.items():
        median = statistics.median(seconds)
        row[who] = {"tokens_per_second": s["batch"] * s["length"] / median,
                    "gflops": last["weft"]["flops_per_step"] / median * 1e-9,
                    "memory_above_start": last[who]["memory_above_start"]}
        if who != "weft":
            row[who]["weft_is_times_as_fast"] = times_as_fast(turns["weft"], seconds)
            row[who]["first_step_seconds"] = first[who]["first_seconds"]
    return row


def training_table(rows, machine):
    lines = [machine, "",
             "| model | tokens/s: Weft / eager / compiled | share of the peak | x eager (quartiles) "
             "| x compiled (quartiles) | MB above the start |", "|---|---|---|---|---|---|"]
    for r in rows:
        three = [r.get(who) for who in ("weft", "eager", "compile")]
        speeds = " / ".join(f"{w['tokens_per_second']:.0f}" if w else "-" for w in three)
        peaks = " / ".join(f"{w['gflops'] / r['peak_gflops']:.2f}" if w else "-" for w in three)
        memory = " / ".join(f"{w['memory_above_start'] / 1e6:.0f}" if w else "-" for w in three)
        ratios = " | ".join(ratio_text(w and w["weft_is_times_as_fast"]) for w in three[1:])
        lines.append(f"| {r['model']} {r['size']} | {speeds} | {peaks} | {ratios} | {memory} |")
    return "\n".join(lines) + "\n"


def roof(args):
    """The peak of the threads that are used, and a line about the machine."""
    machine = weft_json("bench", "backends", "--steps", 1, "--threads", args.threads)
    best = max(machine["peak"], key=lambda p: p["gflops"])
    gflops = best["gflops_one_thread" if args.threads == 1 else "gflops"]
    return gflops, (f"{machine['machine']}; {args.threads} used, {args.clock} clock; peak {gflops:.0f} GFLOP/s "
                    f"({best['isa']}), memory {machine['read_gb_per_second']:.0f} GB/s")


def train(args, torch):
    rows, machine = [], ""
    for size in args.size:
        for model in args.model:
            peak, machine = roof(args)
            rows.append({**compare_training(model, size, args, torch), "peak_gflops": peak})
            print(training_table(rows[-1:], machine), file=sys.stderr)
    return rows, training_table(rows, machine)


def products(args, torch):
    """The products of `weft bench backends` beside PyTorch's."""
    rows = []
    for turn in range(args.pairs):
        ours = weft_json("bench", "backends", "--steps", 5, "--threads", args.threads, "--clock", args.clock)
        for i, p in enumerate(ours["products"]):
            if turn == 0:
                rows.append({**{key: p[key] for key in ("what", "pattern", "a", "b")}, "weft": [], "torch": []})
            blas = [g for g in p["gflops"] if g["products"] == "blas"]
            rows[i]["weft"].append(max(g["median"] for g in blas))
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


def compare_generation(model, size, args, torch):
    us = {position: {"weft": [], "eager": []} for position in args.position}
    places = [w for position in args.position for w in ("--position", position)]
    with tempfile.TemporaryDirectory() as folder:
        path, weights = write_description(folder, model, size), os.path.join(folder, "start.safetensors")
        worker = None
        for _ in range(args.pairs):
            ours = weft_json("bench", path, "--steps", 1, "--hand-over", weights, *ours_on(args), *places)
            for g in ours["generation"]:
                us[g["position"]]["weft"].append(g["us_per_token"]["median"])
            if torch and not worker:
                worker = rival(args, model, size, weights, "generate", length=max(args.position) + 64)
            for position in args.position if worker else []:
                us[position]["eager"].append(1e6 * statistics.median(worker.ask(position)))
    return [{"model": model, "size": size, "position": position, "weft_us": statistics.median(both["weft"]),
             "eager_us": statistics.median(both["eager"]) if torch else None,
             "weft_is_times_as_fast": times_as_fast(both["weft"], both["eager"]) if torch else None}
            for position, both in us.items()]


def generate(args, torch):
    rows = [row for size in args.size for model in args.model for row in compare_generation(model, size, args, torch)]
    table = ["| model | position | us a token: Weft / eager | x eager (quartiles) |", "|---|---|---|---|"]
    for r in rows:
        theirs = f"{r['eager_us']:.0f}" if torch else "-"
        table.append(f"| {r['model']} {r['size']} | {r['position']} | {r['weft_us']:.0f} / {theirs} "
                     f"| {ratio_text(r['weft_is_times_as_fast'], 1)} |")
    return rows, "\n".join(table) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["train", "products", "generate"])
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu, with --threads 1: processor time, for a machine that others use, too")
    parser.add_argument("--position", nargs="+", type=int, default=[100, 1000])
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    args = parser.parse_args()
    if not os.path.exists(WEFT):
        sys.exit("build/weft is not there; `./weft --help` builds it")
    torch = has_torch()
    with tempfile.TemporaryDirectory() as folder:
        description = write_description(folder, args.model[0], args.size[0])
        args.vocab = weft_json("check", description)["tensors"][0]["shape"][0]
    rows, table = {"train": train, "products": products, "generate": generate}[args.command](args, torch)
    print(table)
    results = os.path.join(ROOT, "bench", "results")
    os.makedirs(results, exist_ok=True)
    for ending, text in (("json", json.dumps(rows, indent=2) + "\n"), ("md", table)):
        with open(os.path.join(results, f"{args.command}.{ending}"), "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
