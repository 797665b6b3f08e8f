#!/usr/bin/env python3
"""Tailor beside PyTorch: the same weights, pictures, input size and recipe, several seeds each.

    tools/peer/fine_tune.py BUILD DATA BASE [--routes full,probe,scratch] [--seeds 5]
        [--epochs 6] [--train-rows 320] [--valid-rows 120] [--image-size 128] [--threads 2]
        [--out FILE.jsonl] [--check]

DATA has train/ and test/ of class folders, BASE is a weights folder that recipe.py knows.
A seed cuts its training and validation rows out of train/; both tools get the same files,
start from the same weights (fresh ones are Tailor's own of that seed) and draw the same
numbers.  The recipe is what Tailor resolved and wrote.  Every model that Tailor wrote is scored by
PyTorch, too: pictures and weights are the same only where both count the same test pictures.
A route held where Tailor's mean test accuracy is not more than a point below PyTorch's.
Lines already in FILE are not run again.  --check: one optimiser step of both tools from the
same weights instead, the law of fresh weights, and the first loss of the whole recipe."""
import argparse
import copy
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

import recipe
import steps

NETS = {"mobilenet-v2-imagenet": recipe.MobileNet, "squeezenet-v1.0": recipe.SqueezeNet}
POINT = 0.01


def cut(data, into, seed, train_rows, valid_rows):
    """train/, valid/ and test/ of links into `data`, the same number of each class."""
    draw = random.Random(seed)
    classes = sorted(p.name for p in (data / "train").iterdir() if p.is_dir())
    for name in classes:
        files = sorted((data / "train" / name).iterdir())
        draw.shuffle(files)
        n_valid, n_train = valid_rows // len(classes), train_rows // len(classes)
        parts = {"valid": files[:n_valid], "train": files[n_valid:n_valid + n_train],
                 "test": sorted((data / "test" / name).iterdir())}
        for part, chosen in parts.items():
            (into / part / name).mkdir(parents=True)
            for f in chosen:
                (into / part / name / f.name).symlink_to(f)
    return len(classes)


def tailor(args, data, out, route, seed, *more, epochs=None):
    """One run: its result, its preprocessing, the tensors of its model, seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [args.build / "tailor", "train", data, "--base", args.base, "--route", route,
         "--seed", str(seed), "--epochs", str(epochs or args.epochs), "--image-size", str(args.image_size),
         "--threads", str(args.threads), "--metric", "accuracy", "--precision", "f32",
         "--json", "--quiet", "--out", out, *more], stdout=subprocess.PIPE, check=True)
    seconds = time.monotonic() - start
    prep = json.loads((out / "best/preprocessor_config.json").read_text())
    return json.loads(done.stdout), prep, load_file(out / "best/model.safetensors"), seconds


def known(hyper):
    """What recipe.py does not do must not be asked for."""
    assert not hyper["frozen_norm"] and not hyper["class_weights"] and hyper["shards"] == 1
    assert hyper["augment"] in recipe.AUGMENT and hyper["l2_head"] < 0
    return hyper


def load_all(net, tensors):
    missing, unexpected = net.load_state_dict(tensors, strict=False)
    assert not unexpected and all("num_batches" in k for k in missing), (missing, unexpected)
    return net


def new_net(args, hyper, classes, route, seed):
    torch.manual_seed(seed)
    net = NETS[args.base.name](classes, hyper["dropout"])
    if route != "scratch":
        recipe.load_body(net, load_file(next(args.base.glob("*.safetensors"))))
    return net


def still(args, data, out, route, seed, *more):
    """Tailor's weights before the first step, by name: those of a step at rate 0.  Running
    statistics have moved and are no part of it."""
    _, _, tensors, _ = tailor(args, data, out, route, seed, *more, "--lr", "0", epochs=0.01)
    return {k: v for k, v in tensors.items() if "running" not in k}


# Five seeds -----------------------------------------------------------------------------------

def run_tailor(args, data, classes, route, seed, folder):
    result, prep, tensors, seconds = tailor(args, data, folder / f"{route}-{seed}", route, seed)
    hyper = known(result["hyperparameters"])
    test = recipe.Pictures(data / "test", prep)
    again, _ = recipe.score(load_all(NETS[args.base.name](classes, 0.0), tensors), test)
    told = result["test"]["mean"]
    assert abs(again - told) * len(test) < 1.5, f"PyTorch scores Tailor's model {again}, not {told}"
    return {"test": told, "seconds": seconds, "rescored": again, "hyper": hyper, "prep": prep}


def run_torch(args, data, classes, route, seed, folder, asked):
    first = still(args, data, folder / "still", route, seed) if route != "probe" else {}
    start = time.monotonic()
    parts = {p: recipe.Pictures(data / p, asked["prep"]) for p in ("train", "valid", "test")}
    net = new_net(args, asked["hyper"], classes, route, seed)
    net.load_state_dict(first, strict=False)
    recipe.train_route(net, route, asked["hyper"], parts["train"], parts["valid"], seed)
    accuracy, _ = recipe.score(net, parts["test"])
    return {"test": accuracy, "seconds": time.monotonic() - start}


def key_of(args, route, seed, tool):
    return {"data": args.data.name, "base": args.base.name, "route": route, "seed": seed,
            "tool": tool, "epochs": args.epochs, "train_rows": args.train_rows,
            "valid_rows": args.valid_rows, "image_size": args.image_size}


def one_seed(args, lines, route, seed):
    ours, theirs = (key_of(args, route, seed, tool) for tool in ("tailor", "torch"))
    if lines.find(ours) and lines.find(theirs):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        classes = cut(args.data, data, seed, args.train_rows, args.valid_rows)
        if not lines.find(ours):
            lines.add({**ours, **run_tailor(args, data, classes, route, seed, folder)})
        if not lines.find(theirs):
            lines.add({**theirs, **run_torch(args, data, classes, route, seed, folder,
                                             lines.find(ours))})
    a, b = lines.find(ours), lines.find(theirs)
    print(f"{route} seed {seed}: Tailor {a['test']:.4f} in {a['seconds']:.1f} s, "
          f"PyTorch {b['test']:.4f} in {b['seconds']:.1f} s", flush=True)


def error_of_mean(values):
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def report(args, lines, route):
    """True where it held."""
    tests, seconds = [], []
    for tool in ("tailor", "torch"):
        found = [lines.find(key_of(args, route, s, tool)) for s in range(1, args.seeds + 1)]
        tests.append([x["test"] for x in found])
        seconds.append(sum(x["seconds"] for x in found))
    ours, theirs = map(statistics.mean, tests)
    gaps = [a - b for a, b in zip(*tests)]
    held = ours >= theirs - POINT
    print(f"{args.data.name} {args.base.name} {route}: Tailor {ours:.4f} ± "
          f"{error_of_mean(tests[0]):.4f}, PyTorch {theirs:.4f} ± {error_of_mean(tests[1]):.4f}; "
          f"difference {ours - theirs:+.4f} ± {error_of_mean(gaps):.4f} (standard errors, "
          f"{args.seeds} seeds); {seconds[0]:.0f} s and {seconds[1]:.0f} s: "
          f"{'held' if held else 'MORE THAN A POINT BELOW'}")
    return held


# One step -------------------------------------------------------------------------------------

def torch_step(net, hyper, pictures, dtype):
    """The state after one step of all pictures, computed in `dtype`."""
    net = copy.deepcopy(net).to(dtype).train()
    x, y = next(pictures.batches(len(pictures)))
    steps.advance(recipe.optimiser(net, hyper), hyper, recipe.loss_of(net, hyper, x.to(dtype), y),
                  steps.factor(hyper, 0, 1))
    return net.state_dict()


def check_start(route, before, fresh):
    """A body from the base is the base's to the bit; what is new is as wide as PyTorch's."""
    for k, theirs in fresh.items():
        ours = before[k]
        if route == "full" and k.startswith("features."):
            assert torch.equal(ours, theirs), f"{k} is not the base's"
        elif ours.numel() >= 1000 and ours.ndim > 1:
            ratio = float(ours.std() / theirs.std())
            assert 0.85 < ratio < 1.15, f"{k} starts {ratio:.2f} times as wide as PyTorch's"


def check_step(args, route, folder, data, classes):
    """All rows are one batch, so that both tools see the same; the step is SGD's, which is the
    gradient (Adam's first is its sign, which rounding turns where it is near nothing).  Tailor's
    weights before the step are those of a run at rate 0.  True where Tailor is as near to the step in double precision
    as single precision allows."""
    plain = ["--augment", "none", "--dropout", "0", "--batch-size", str(args.train_rows),
             "--optimizer", "sgd"]
    out = folder / route
    before = still(args, data, out / "still", route, 1, *plain)
    result, prep, after, _ = tailor(args, data, out / "moved", route, 1, *plain)
    hyper = known(result["hyperparameters"])
    net = new_net(args, hyper, classes, route, 1)
    fresh = {k: p.detach() for k, p in net.named_parameters()}
    check_start(route, before, fresh)
    net.load_state_dict(before, strict=False)
    pictures = recipe.Pictures(data / "train", prep)
    exact, single = (torch_step(net, hyper, pictures, t) for t in (torch.double, torch.float))
    start = net.state_dict()

    def off(state, names):
        moved = steps.norm(exact[k] - start[k] for k in names)
        return steps.norm(state[k] - exact[k] for k in names) / moved if names else 0.0

    running = [k for k in after if "running" in k]
    ours, theirs = off(after, list(fresh)), off(single, list(fresh))
    print(f"{args.data.name} {args.base.name} {route}: after one step of {len(pictures)} rows by "
          f"{hyper['optimizer']} Tailor's weights are off by {ours:.1e} of the step, PyTorch's in "
          f"single precision by {theirs:.1e}; running statistics by {off(after, running):.1e} and "
          f"{off(single, running):.1e}")
    return ours < max(3 * theirs, 0.01) and off(after, running) < 0.01


def check_first_loss(args, route, folder, data, classes):
    """The recipe as it is, augmentation and dropout with it: the same crops are cut from the same
    pixels, so that the first batch's losses differ by what resizing rounds (one level of 255)."""
    out = folder / f"{route}-first"
    before = still(args, data, out / "still", route, 1)
    result, prep, _, _ = tailor(args, data, out / "one", route, 1, epochs=0.01)
    hyper = known(result["hyperparameters"])
    net = new_net(args, hyper, classes, route, 1)
    net.load_state_dict(before, strict=False)
    net.drop.seed, net.drop.step = 1, 0
    pictures, how = recipe.Pictures(data / "train", prep), recipe.AUGMENT[hyper["augment"]]
    batch = next(recipe.epochs_of(len(pictures), {**hyper, "epochs": 1}, False, 1))[0]
    x = torch.stack([pictures.augmented(i, how, recipe.draws.Dice(1, e, i)) for e, i in batch])
    y = pictures.labels[[i for _, i in batch]]
    with torch.no_grad():
        theirs = float(torch.nn.functional.cross_entropy(net.train()(x), y))
    with sqlite3.connect(out / "one/runs.db") as db:
        ours, steps = db.execute("select train_loss, step from points order by step").fetchone()
    assert steps == 1, steps
    print(f"{args.data.name} {args.base.name} {route}: the first batch's loss, augmented "
          f"({hyper['augment']}), is {ours:.5f}, PyTorch's {theirs:.5f}")
    return abs(ours - theirs) < 0.002 * theirs


def check(args):
    args.epochs, args.train_rows = 1, 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classes = cut(args.data, folder / "data", 1, args.train_rows, args.valid_rows)
        args.train_rows = args.train_rows // classes * classes
        return all([held(args, r, folder, folder / "data", classes)
                    for r in ("full", "scratch") for held in (check_step, check_first_loss)])


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build", type=Path)
    p.add_argument("data", type=Path)
    p.add_argument("base", type=Path)
    p.add_argument("--routes", default="full,probe,scratch")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--train-rows", type=int, default=320)
    p.add_argument("--valid-rows", type=int, default=120)
    p.add_argument("--image-size", type=int, default=128)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--out", type=Path)
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    args.data, args.base = args.data.resolve(), args.base.resolve()
    return args


def main():
    args = options()
    torch.set_num_threads(args.threads)
    if args.check:
        sys.exit(not check(args))
    lines, routes = steps.Lines(args.out), args.routes.split(",")
    for route in routes:
        for seed in range(1, args.seeds + 1):
            one_seed(args, lines, route, seed)
    held = [report(args, lines, route) for route in routes]
    sys.exit(not all(held))


main()
