"""The baseline by a base's vectors of texts, beside scikit-learn's KNeighborsClassifier on the
same texts' vectors as `tailor predict --embed` gives them, with the k that Tailor chose.

  python tools/peer/neighbours.py TAILOR DATA SET [--rows N] [--asked N]

DATA: the folder with text/; SET: sst2 or banking77.  Held: of the texts asked at most one in a
thousand is told another class, and probabilities differ by at most 0.002 but for those."""
import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.pop(0)   # tokenizers.py beside this is not the package
import numpy
from sklearn.neighbors import KNeighborsClassifier

sys.path.append(str(Path(__file__).parent))
import rows

MOST_OTHER, MOST_APART = 0.001, 0.002


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def vectors(tailor, model, texts, folder):
    """One text a line: of length 1, as the model's folder says else."""
    lines, file = folder / "lines.txt", folder / "vectors.npy"
    lines.write_text("\n".join(texts) + "\n", encoding="utf-8")
    run(tailor, "predict", model, lines, "--npy", file, "--normalize", "--quiet")
    return numpy.load(file).astype(float)


def plain(part):
    return [(" ".join(text.split()), label) for text, label in part if text.strip()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tailor", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("set", choices=["sst2", "banking77"])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--asked", type=int, default=1000)
    args = parser.parse_args()
    train, _, test = (plain(p) for p in rows.SETS[args.set](args.data / "text"))
    for drawn in (train, test):  # their files may go class by class
        random.Random(0).shuffle(drawn)
    part, test, base = train[:args.rows], test[:args.asked], rows.base_of_package()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows.write({"train": part[len(part) // 5:], "valid": part[:len(part) // 5], "test": test}, folder)
        run(args.tailor, "train", folder / "train.csv", "--base", base, "--route", "baseline", "--out",
            folder / "run", "--precision", "f32", "--json", "--quiet")
        best = folder / "run/best"
        made = json.loads((best / "tailor.json").read_text())
        k, labels = made["arch"]["config"]["neighbours"], made["labels"]
        (folder / "asked.txt").write_text("\n".join(t for t, _ in test) + "\n", encoding="utf-8")
        said = [json.loads(line) for line in run(
            args.tailor, "predict", best, folder / "asked.txt", "--precision", "f32").splitlines()]
        mine, asked = (vectors(args.tailor, base, [t for t, _ in p], folder)
                       for p in (part[len(part) // 5:], test))
    judge = KNeighborsClassifier(k, metric="cosine", weights="distance", algorithm="brute")
    judge.fit(mine, [label for _, label in part[len(part) // 5:]])
    share = judge.predict_proba(asked)
    theirs = [judge.classes_[i] for i in share.argmax(1)]
    other  = numpy.array([s["label"] != t for s, t in zip(said, theirs)])
    score  = (share.max(1) * k + 1 / len(labels)) / (k + 1)  # each class begins with a part of a vote
    apart  = numpy.abs(score - [s["score"] for s in said])[~other].max()
    right  = [numpy.mean([x == label for x, (_, label) in zip(list_, test)])
              for list_ in ([s["label"] for s in said], theirs)]
    print(f"{args.set}: {k} neighbours of {len(mine)} rows, {len(test)} texts asked: {right[0]:.4f} right, "
          f"scikit-learn {right[1]:.4f}; {other.sum()} told another class, probabilities of the others "
          f"at most {apart:.1e} apart")
    raise SystemExit(bool(other.mean() > MOST_OTHER or apart > MOST_APART))


if __name__ == "__main__":
    main()
