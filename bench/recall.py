#!/usr/bin/env python3
"""How many pairs a memory of fast weights holds, and which rule can replace them: the tables of docs/evidence.md.

    bench/recall.py [--steps 2000] [--seeds 3] [--width 16] [--folder runs/recall]

Runs `weft compare` on examples/tasks/recall.yaml for a grid of numbers of pairs (Schlag et al. 2021, section 6.1) and
prints the share of answers that are right, the mean over seeds. The same command goes on where it was stopped.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HOUSE = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("WEFT_PROGRAM", HOUSE / "weft")
TASK = "examples/tasks/recall.yaml"


def accuracies(ask, name, models, pairs, repeats):
    """{label: mean accuracy} of one comparison; `models` is {label: params}."""
    command = [PROGRAM, "compare", *(f"{label}={TASK}" for label in models), "--seeds", str(ask.seeds), "--budget",
               f"{ask.steps}steps", "--run-dir", f"{ask.folder}/{name}_{pairs}", "--json", "-p", f"S={pairs}", "-p",
               f"d={ask.width}", "--set", f"data.recall.repeats={str(repeats).lower()}"]
    for label, params in models.items():
        for param in params:
            command += ["-p", f"{label}:{param}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)
    if done.returncode != 0:
        sys.exit(f"recall: {' '.join(map(str, command))}\n{done.stderr}")
    return {m["model"]: m["accuracy"]["mean"] for m in json.loads(done.stdout)["models"]}


def table(ask, name, models, counts, repeats):
    print("| pairs | " + " | ".join(models) + " |\n|---" + "|---" * len(models) + "|")
    for pairs in counts:
        found = accuracies(ask, name, models, pairs, repeats)
        print(f"| {pairs} | " + " | ".join(f"{100 * found[label]:.1f}" for label in models) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--folder", default="runs/recall")
    ask = parser.parse_args()
    d = ask.width
    features = {f"elu_{d}": ["feature=elu"], f"dpfp1_{2 * d}": ["feature=dpfp"], f"dpfp2_{4 * d}": ["feature=dpfp", "nu=2"]}
    print("Each key once, sum rule; behind the name the number of features\n")
    table(ask, "capacity", {label: [*params, "rule=sum"] for label, params in features.items()},
          [d // 2, d, 3 * d // 2, 2 * d, 3 * d, 4 * d], False)
    print(f"\nKeys written again, dpfp with {2 * d} features\n")
    table(ask, "update", {"sum": ["rule=sum"], "delta": ["rule=delta"]}, [d // 2, d, 3 * d // 2, 2 * d], True)


if __name__ == "__main__":
    main()
