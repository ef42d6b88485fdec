#!/usr/bin/env python3
"""What the recipes of examples/evidence reach on Tiny Shakespeare, beside tables that need no network.

    WEFT_DATA=folder bench/evidence.py [--seeds 1 2 3] [--only retnet]

Trains each recipe once a seed (about two minutes each on two cores), takes the last loss over the whole validation part
from the run's metrics.csv, and prints the rows of docs/evidence.md. The n-gram tables count in the training part, add
0.05 to every count, and are measured on the same validation characters. Needs Python alone.
"""
import argparse
import collections
import csv
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HOUSE = pathlib.Path(__file__).resolve().parent.parent
RECIPES = {"transformer": 1.92, "retnet": 1.80}  # and the loss that each has to stay below
SMOOTHING = 0.05


def ngram_loss(train, valid, n, vocabulary):
    """Nats per character of a table of n-grams; the first n - 1 characters of `valid` are read, not predicted."""
    full, context = collections.Counter(), collections.Counter()
    for i in range(n - 1, len(train)):
        full[train[i - n + 1:i + 1]] += 1
        context[train[i - n + 1:i]] += 1
    loss = 0.0
    for i in range(n - 1, len(valid)):
        seen = full[valid[i - n + 1:i + 1]] + SMOOTHING
        loss -= math.log(seen / (context[valid[i - n + 1:i]] + SMOOTHING * vocabulary))
    return loss / (len(valid) - n + 1)


def trained(recipe, text, seed, folder):
    run = f"{folder}/{recipe}_{seed}"
    command = [HOUSE / "weft", "train", HOUSE / f"examples/evidence/shakespeare_{recipe}.yaml", "--seed", str(seed),
               "--set", f"data.text.path={text}", "--run-dir", run]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"evidence: {' '.join(map(str, command))}\n{done.stderr}")
    with open(f"{run}/metrics.csv") as f:
        return [float(row["loss"]) for row in csv.DictReader(f) if row["split"] == "valid"][-1]


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    ask.add_argument("--only", choices=RECIPES)
    asked = ask.parse_args()
    text = pathlib.Path(os.environ.get("WEFT_DATA", "")) / "tinyshakespeare/input.txt"
    if not os.environ.get("WEFT_DATA") or not text.is_file():
        sys.exit("evidence: set WEFT_DATA to a folder with tinyshakespeare/input.txt; docs/data.md says where it is published")
    characters = text.read_text()
    cut = int(len(characters) * (1 - 0.1))
    train, valid, vocabulary = characters[:cut], characters[cut:], len(set(characters))
    print(f"| {'table':<12} | loss  |\n|---|---|")
    for n in range(1, 7):
        print(f"| {f'{n}-gram':<12} | {ngram_loss(train, valid, n, vocabulary):.3f} |", flush=True)
    print(f"\n| {'model':<12} | {' | '.join(f'seed {s}' for s in asked.seeds)} | mean   | at most | minutes a run |")
    print(f"|---|{'---|' * len(asked.seeds)}---|---|---|")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for recipe, limit in RECIPES.items():
            if asked.only not in (None, recipe):
                continue
            start = time.time()
            losses = [trained(recipe, text, seed, folder) for seed in asked.seeds]
            mean = sum(losses) / len(losses)
            good = good and mean <= limit
            print(f"| {recipe:<12} | {' | '.join(f'{x:.4f}' for x in losses)} | {mean:.4f} | {limit:.2f} | "
                  f"{(time.time() - start) / 60 / len(losses):.1f} |", flush=True)
    sys.exit(0 if good else 1)


main()
