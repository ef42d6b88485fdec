"""The measurements that compare.py and targets.py ask for; each gives a dictionary of figures.

A figure is {low, median, high} over pairs: `x_eager`, `x_compile`, `x_loop` and `x_best`, how many times as fast as
PyTorch; `share` of the peak; `memory` as a part of PyTorch's least; `seconds`; `gain` as a part of the peak's own gain.
"""
import os
import statistics
import subprocess
import tempfile
import time

from pairs import (SIZES, WEFT, check_twin, machine, modes, ours, ours_on, quartiles, rival, times_as_fast, weft_json,
                   with_threads, write_description)

LOOPED = [("fast_weights", "S")]  # also beside the loop over time that most published code has


def faster(turns, rivals):
    return min(rivals, key=lambda who: statistics.median(turns[who]))


def check_quiet(model, size, args):
    """Twins that draw noise are compared without it."""
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "start.safetensors")
        mine = ours(args, write_description(folder, model, size), "--hand-over", weights)
        start = mine.read()
        theirs = rival(args, model, size, weights, "eager")
        check_twin(f"{model} {size}", start, theirs.read(), args.precision)
        for worker in (mine, theirs):
            worker.stop()


def training(model, size, args, torch):
    """Steps of training. The peak of multiply-adds is taken anew for each pair: it changes as the machine does."""
    s = SIZES[size]
    noisy = model == "treefold"
    if torch and noisy:
        check_quiet("treefold_quiet", size, args)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "start.safetensors")
        workers = {"weft": ours(args, write_description(folder, model, size), "--hand-over", weights)}
        start = workers["weft"].read()
        for mode in modes(args) if torch else []:
            workers[mode] = rival(args, model, size, weights, mode)
        if torch and (model, size) in LOOPED:
            workers["loop"] = rival(args, f"{model}_loop", size, weights, "eager")
        first = {who: worker.read() for who, worker in workers.items() if who != "weft"}
        for who, said in first.items():
            if not noisy:
                check_twin(f"{model} {size} {who}", start, said, args.precision)
        turns, seen = {who: [] for who in workers}, []
        for _ in range(args.pairs):
            seen.append(machine(args))
            for who, worker in workers.items():
                turns[who].append(worker.ask(s["steps"]))
        last = {who: worker.end() for who, worker in workers.items()}
    flops = last["weft"]["flops_per_step"]
    row = {"model": model, "size": size, "pairs": args.pairs, "machine": seen,
           "share": quartiles([flops / t * 1e-9 / m["gflops"] for t, m in zip(turns["weft"], seen)])}
    for who, seconds in turns.items():
        median = statistics.median(seconds)
        row[who] = {"tokens_per_second": s["batch"] * s["length"] / median, "gflops": flops / median * 1e-9,
                    "memory_above_start": last[who]["memory_above_start"]}
        if who != "weft":
            row[who]["first_step_seconds"] = first[who]["first_seconds"]
            row[f"x_{who}"] = times_as_fast(turns["weft"], seconds)
    rivals = [mode for mode in modes(args) if mode in turns]
    if rivals:
        row["x_best"] = row[f"x_{faster(turns, rivals)}"]
        least = min(row[who]["memory_above_start"] for who in rivals)
        row["memory"] = quartiles([row["weft"]["memory_above_start"] / least])
    return row


def generation(model, size, positions, args, torch):
    """Microseconds of single tokens at each position, one row, and how many times as fast as PyTorch."""
    us = {position: {"weft": []} for position in positions}
    places = [w for position in positions for w in ("--position", position)]
    rivals = modes(args) if torch and size == "S" else ["eager"] if torch else []  # compiled where overhead counts
    with tempfile.TemporaryDirectory() as folder:
        # `weft bench` trains before it generates: few tokens, for that is not what is measured here.
        path = write_description(folder, model, size, batch=1, length=64)
        weights, workers = os.path.join(folder, "start.safetensors"), {}
        for _ in range(args.pairs):
            ours = weft_json("bench", path, "--steps", 1, "--hand-over", weights, *ours_on(args), *places)
            for g in ours["generation"]:
                us[g["position"]]["weft"].append(g["us_per_token"]["median"])
            for mode in rivals:
                if mode not in workers:
                    workers[mode] = rival(args, model, size, weights, f"generate-{mode}", length=max(positions) + 64)
                for position in positions:
                    us[position].setdefault(mode, []).append(1e6 * workers[mode].ask(position))
        for worker in workers.values():
            worker.stop()
    rows = []
    for position, turns in us.items():
        row = {"model": model, "size": size, "position": position, "pairs": args.pairs,
               "us": {who: statistics.median(times) for who, times in turns.items()}}
        row.update({f"x_{mode}": times_as_fast(turns["weft"], turns[mode]) for mode in rivals})
        if rivals:
            row["x_best"] = row[f"x_{faster(turns, rivals)}"]
        rows.append(row)
    return rows


def start(model, size, args):
    """Seconds from the start of `weft train` to its plan, and to the line of its first step: `seconds`."""
    plan, step = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = write_description(folder, model, size)
        for turn in range(args.pairs):
            begin = time.perf_counter()
            run = subprocess.Popen([WEFT, "train", path, "--set", "train.steps=1", "--run-dir", f"{folder}/{turn}",
                                    "--threads", str(args.threads)], stderr=subprocess.PIPE, text=True)
            for line in run.stderr:
                if line.startswith(("plan:", "step 1/1")):
                    (plan if line.startswith("plan:") else step).append(time.perf_counter() - begin)
                if line.startswith("step 1/1"):
                    break
            run.kill()  # what follows is the validation
            run.wait()
            run.stderr.close()
    return {"model": model, "size": size, "pairs": args.pairs, "plan": quartiles(plan), "seconds": quartiles(step)}


def gain(model, size, args):
    """Steps on one and on two threads, pair by pair, beside the peak of multiply-adds on one and on two."""
    one, two, peak = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = write_description(folder, model, size)
        workers = [ours(with_threads(args, n), path) for n in (1, 2)]
        for worker in workers:
            worker.read()
        for _ in range(args.pairs):
            seen = machine(with_threads(args, 2))
            peak.append(seen["gflops"] / seen["gflops_one_thread"])
            for worker, seconds in zip(workers, (one, two)):
                seconds.append(worker.ask(SIZES[size]["steps"]))
        for worker in workers:
            worker.stop()
    steps = [a / b for a, b in zip(one, two)]
    return {"model": model, "size": size, "pairs": args.pairs, "step": quartiles(steps), "peak": quartiles(peak),
            "gain": quartiles([s / p for s, p in zip(steps, peak)])}
