#!/usr/bin/env python3
"""Is accuracy paid for bf16?  The same runs of Tailor in f32 and in bf16, same seeds and rows, on
real tasks.

    tools/peer/precision.py BUILD DATA [--tasks sst2,churn,...] [--seeds 5] [--threads 2]
        [--out FILE.jsonl]

A row of the test part counts by the mean over seeds of (right in bf16) - (right in f32); the
variance is a part from rows over their number plus a part from seeds over theirs (both hold what
is left between rows and seeds: wider, never narrower), Student's t by Satterthwaite.  A task held
where the 90 % interval of the difference lies within one point.  Runs already in FILE are not made
again."""
import argparse
import csv
import gzip
import json
import math
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.append(sys.path.pop(0))  # this folder has a tokenizers.py of its own

from PIL import Image
from scipy.stats import t as student

from rows import SETS, base_of_package, write
from steps import Lines

POINT = 0.01


# Tasks: each writes its parts into a folder and says how Tailor is asked ------------------------

def texts(name, train_rows, *options):
    def made(data, folder, seed):
        train, _, test = SETS[name](data / "text")
        random.Random(seed).shuffle(train)
        write({"train": train[:train_rows], "test": test}, folder)
        return ["--base", base_of_package(), *options]
    return made


def ag_news(data, folder, seed):
    """Its stored part, cut in two: 2,000 rows to learn, the rest to be asked."""
    with open(data / "text/ag-news/test.csv", encoding="utf-8", newline="") as f:
        rows = [(f"{title}. {text}", kind) for kind, title, text in csv.reader(f)]
    random.Random(0).shuffle(rows)
    learnt, asked = rows[:2400], rows[2400:]
    random.Random(seed).shuffle(learnt)
    write({"train": learnt[:2000], "test": asked}, folder)
    return ["--base", base_of_package(), "--route", "lora", "--epochs", "3"]


def cifar10(data, folder, seed):
    with tarfile.open(data / "images/cifar10-jpeg-subset.tar.gz") as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # older ones have none
        tar.extractall(folder)
    for part in ("train", "test"):
        (folder / "cifar10-jpeg" / part).rename(folder / part)
    return ["--base", data / "weights/mobilenet-v2-imagenet", "--route", "full", "--image-size", "64",
            "--train-rows", "2000", "--epochs", "4"]


def drawn(train, test):
    """4,000 pictures to learn, 5,000 of the test part to be asked, as files."""
    def made(data, folder, seed):
        for part, name, count in (("train", train, 4000), ("test", test, 5000)):
            at = data / "images" / name
            with gzip.open(f"{at}-images-idx3-ubyte.gz") as x, \
                    gzip.open(f"{at}-labels-idx1-ubyte.gz") as y:
                x.seek(16), y.seek(8)
                for row in range(count):
                    to = folder / part / str(y.read(1)[0])
                    to.mkdir(parents=True, exist_ok=True)
                    Image.frombytes("L", (28, 28), x.read(784)).save(to / f"{row}.png")
        return ["--arch", "resnet20", "--route", "scratch", "--epochs", "4"]
    return made


def churn(data, folder, seed):
    with open(data / "tabular/Churn_Modelling.csv", encoding="utf-8", newline="") as f:
        head, *rows = csv.reader(f)
    random.Random(0).shuffle(rows)
    for part, some in (("train", rows[:5000]), ("test", rows[5000:])):
        with open(folder / f"{part}.csv", "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([head, *some])
    return ["--label", "Exited", "--arch", "table-resnet", "--route", "scratch"]


TASKS = {"sst2": texts("sst2", 2000, "--route", "full", "--epochs", "3"),
         "banking77": texts("banking77", 2000, "--route", "full", "--epochs", "10"),
         "bitext": texts("bitext", 2000, "--route", "full", "--epochs", "3"), "ag-news": ag_news,
         "cifar10": cifar10, "churn": churn,
         "fashion": drawn("fashion-mnist/train", "fashion-mnist/t10k"),
         "mnist": drawn("mnist/train10k", "mnist/t10k")}


# Runs -------------------------------------------------------------------------------------------

def parts_of(folder):
    """What is learnt and what is asked, as Tailor takes them, and the true classes of the latter."""
    if (folder / "test.csv").exists():
        with open(folder / "test.csv", encoding="utf-8", newline="") as f:
            head, *rows = csv.reader(f)
        return folder / "train.csv", folder / "test.csv", [r[-1] for r in rows]
    files = sorted(str(p) for p in (folder / "test").glob("*/*"))
    return folder / "train", folder / "test", {f: Path(f).parent.name for f in files}


def right(args, task, seed, precision):
    """Row by row of the test part: 1 where the class is right."""
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        options = TASKS[task](args.data, folder, seed)
        train, test, true = parts_of(folder)
        common = ["--threads", str(args.threads), "--precision", precision, "--quiet"]
        subprocess.run([args.build / "tailor", "train", train, *options, "--seed", str(seed),
                        "--metric", "accuracy", *common, "--out", folder / "run"], check=True,
                       stdout=subprocess.DEVNULL)
        said = subprocess.run([args.build / "tailor", "predict", folder / "run/best", test, *common],
                              check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    said = [json.loads(line) for line in said]
    if isinstance(true, dict):
        said = {line["input"]: line for line in said}
        true, said = list(true.values()), [said[path] for path in true]
    assert len(true) == len(said), (task, len(true), len(said))
    return [int(line["label"] == y) for line, y in zip(said, true)]


def interval(differences):
    """Of a table by seed and row: mean, and half the width of its 90 % interval."""
    seeds, rows = len(differences), len(differences[0])
    by_row = [statistics.mean(column) for column in zip(*differences)]
    by_seed = [statistics.mean(row) for row in differences]
    parts = statistics.variance(by_row) / rows, statistics.variance(by_seed) / seeds
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (rows - 1) + parts[1] ** 2 / (seeds - 1) or 1)
    return statistics.mean(by_seed), student.ppf(0.95, max(freedom, 1)) * math.sqrt(sum(parts))


def measured(args, lines, task):
    """True where the interval lies within a point."""
    found = {"f32": [], "bf16": []}
    for seed in range(1, args.seeds + 1):
        for precision, rows in found.items():
            key = {"task": task, "seed": seed, "precision": precision}
            line = lines.find(key)
            if not line:
                line = {**key, "right": "".join(map(str, right(args, task, seed, precision)))}
                lines.add(line)
            rows.append([int(c) for c in line["right"]])
    mean, half = interval([[b - a for a, b in zip(*rows)] for rows in zip(*found.values())])
    scores = [statistics.mean(map(statistics.mean, found[p])) for p in found]
    print(f"| {task} | {len(found['f32'][0])} | {scores[0]:.4f} | {scores[1]:.4f} | {100 * mean:+.2f} "
          f"| {100 * (mean - half):+.2f} to {100 * (mean + half):+.2f} |", flush=True)
    return abs(mean) + half <= POINT


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build", type=Path)
    p.add_argument("data", type=Path)
    p.add_argument("--tasks", type=lambda text: text.split(","), default=list(TASKS))
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--out", type=Path)
    args = p.parse_args()
    args.build, args.data = args.build.resolve(), args.data.resolve()
    lines = Lines(args.out)
    print("| task | test rows | f32 | bf16 | difference, points | 90 % interval |\n" + "| --- " * 6 + "|")
    held = [measured(args, lines, task) for task in args.tasks]
    print(f"{sum(held)} passed, {len(held) - sum(held)} failed, 0 skipped")
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
