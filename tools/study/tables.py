"""The tables of docs/study.md, from the records: verdicts beside fixed rules, crossings foretold,
forecasts beside what was taken."""
import json
import statistics
import subprocess


def lines_of(build, what, path, more=()):
    said = subprocess.run([str(build / "tailor-study"), what, str(path), *map(str, more)],
                          check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in said.splitlines()]


def mean(values):
    return sum(values) / len(values)


def rule(truth, wanted):
    """The regret of a rule: of its routes that are there, the mean; None: there is none."""
    mine = [t["regret"] for t in truth if wanted(t)]
    return mean(mine) if mine else None


def rules_of(truth):
    largest = max((t["base_weights"] for t in truth), default=0)
    return {
        "full": rule(truth, lambda t: t["route"] == "full"),
        "probe": rule(truth, lambda t: t["route"] == "probe"),
        "lora": rule(truth, lambda t: t["route"] == "lora"),
        "scratch": rule(truth, lambda t: t["route"] == "scratch"),
        "largest base": rule(truth, lambda t: t["route"] == "full" and
                             t["base_weights"] == largest),
    }


def points(value):
    return "-" if value is None else f"{value:.2f}"


def inside_of(plays, key="regret"):
    return mean([p[key] <= p["margin"] for p in plays])


def row_of(path, truth, plays, here):
    best = min(truth, key=lambda t: t["regret"])
    mine = [p["regret"] for p in plays]
    outcome = [sum(p["outcome"] == o for p in plays) for o in ("better", "tie", "undecided")]
    return (f"| {path.stem} | {best['truth']} | {statistics.mode(p['winner'] for p in plays)} | "
            f"{'/'.join(map(str, outcome))} | {100 * inside_of(plays):.0f} | "
            f"{statistics.median(mine):.2f} | {max(mine):.2f} | "
            f"{100 * mean([p['spent'] for p in plays]):.0f} | "
            + " | ".join(points(r) for r in here.values()) + " |")


def verdicts(build, records, more=()):
    rules, played, rows = {}, [], []
    for path in records:
        said = lines_of(build, "replay", path, more)
        truth = [s for s in said if "truth" in s]
        plays = [s for s in said if "replay" in s]
        here = rules_of(truth)
        for name, regret in here.items():
            rules.setdefault(name, []).append(regret)
        played.append(plays)
        rows.append(row_of(path, truth, plays, here))
    print("| cell | best | named most often | better/tie/undecided | within the margin, % | "
          "regret, median | worst | cost, % | " + " | ".join(rules) + " |")
    print("| --- " * (8 + len(rules)) + "|")
    print("\n".join(rows))
    sum_up("as above", played)
    losses(records, played)
    print("\nA rule's regret over the cells where it applies, beside the verdict's on the same cells:\n")
    print("| rule | cells | median | mean | worst | verdict's median | mean | worst |")
    print("| --- " * 8 + "|")
    for name, values in rules.items():
        both = [(r, p["regret"]) for r, plays in zip(values, played) if r is not None
                for p in plays]
        print(f"| {name} | {sum(v is not None for v in values)} | "
              + " | ".join(f"{f([b[k] for b in both]):.2f}" for k in (0, 1)
                           for f in (statistics.median, mean, max)) + " |")


CAUSES = ("setting", "stopped", "cheap", "luck")  # replay.c, why_lost


def losses(records, played):
    """What lost more than the margin, by cell: replays and the points they lost."""
    print("\n| cell | " + " | ".join(CAUSES) + " | points lost, all causes |")
    print("| --- " * (2 + len(CAUSES)) + "|")
    lost = [[p for p in plays if p["regret"] > p["margin"]] for plays in played]
    for path, plays in [*zip((r.stem for r in records), lost), ("all", sum(lost, []))]:
        if plays:
            print(f"| {path} | " + " | ".join(str(sum(p["lost"] == c for p in plays)) for c in CAUSES)
                  + f" | {sum(p['regret'] for p in plays):.1f} |")


def sum_up(what, played):
    every = [p["regret"] for plays in played for p in plays]
    print(f"\n{what}: {len(played)} cells, {len(every)} replays: within the margin "
          f"{100 * mean([inside_of(plays) for plays in played]):.1f} % (by the route with its best "
          f"setting {100 * mean([inside_of(plays, 'route_regret') for plays in played]):.1f} %); "
          f"regret median {statistics.median(every):.2f}, mean {mean(every):.2f}, worst {max(every):.2f}")


def other_views(build, records):
    for what, more in (("at most five seeds of the ten", ("--most", 5)),
                       ("half of the test rows", ("--rows", 0.5)),
                       ("both", ("--most", 5, "--rows", 0.5)),
                       ("an eighth of the cost", ("--share", 0.125))):
        played = []
        for path in records:
            try:
                played.append([s for s in lines_of(build, "replay", path, more) if "replay" in s])
            except subprocess.CalledProcessError as e:
                print(f"  {path.stem}: {e.stderr.strip()}")
        sum_up(what, played)


def crossings(build, records):
    print("| cell | rows | route | foretold at all rows | measured (95 %) | error, "
          "margins | law |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ends, errors = [], []
    for path in records:
        try:
            said = lines_of(build, "crossing", path)
        except subprocess.CalledProcessError:
            continue
        *curves, cross = said
        for c in curves:
            shown = shower(c["measured"])
            errors.append(abs(c["told"] - c["measured"]) / cross["margin"])
            low, high = sorted((shown(c["low"]), shown(c["high"])), key=float)
            print(f"| {path.stem} | {cross['half']} -> {cross['rows']} | {c['curve']} | "
                  f"{shown(c['told'])} | {shown(c['measured'])} ({low} to {high}) | "
                  f"{(c['told'] - c['measured']) / cross['margin']:+.1f} | "
                  f"{'found' if c['found'] else 'none'} |")
        ends.append((path.stem, cross))
    print("\n| cell | crossover foretold from half the rows | read from all | chance that the base "
          "is ahead at all rows, foretold | ahead by, measured |")
    print("| --- | --- | --- | --- | --- |")
    for name, c in ends:
        print(f"| {name} | {rows_of(c['told'], c['beyond_told'])} | "
              f"{rows_of(c['read'], c['beyond_read'])} | {unknown(c['ahead_told'])} | "
              f"{c['ahead_by'] / c['margin']:+.2f} margins |")
    if errors:
        print(f"\nOf {len(errors)} scores foretold at twice the rows the median error is "
              f"{statistics.median(errors):.2f} margins, the worst {max(errors):.2f}.")


def shower(score):
    """Shares in percent; an error, which is kept as its negative, as it is."""
    return (lambda v: f"{100 * v:.1f}") if score >= 0.0 else (lambda v: f"{-v:.3f}")


def unknown(value):
    return "not said" if value is None else f"{value:.2f}"


def rows_of(c, beyond):
    if beyond:
        return "beyond ten times the rows"
    if c["rows"] is None:
        return "none found"
    high = "beyond" if c["high"] is None else f"{c['high']:.0f}"
    return f"{c['rows']:.0f} ({c['low'] or 0:.0f} to {high})"


def forecasts(build, records, every=False):
    """Of one run of each candidate's own setting; `every`: a row a candidate."""
    times, peaks, whole, rows = [], [], [], []
    for path in records:
        here = [t for t in lines_of(build, "replay", path, ("--replays", 0, "--seeds", 3))
                if t["forecast_bytes"] and t["seconds"]]  # else nothing is trained
        time = [100 * (t["forecast_s"] / t["seconds"] - 1) for t in here]
        peak = [100 * (t["forecast_bytes"] / t["bytes"] - 1) for t in here]
        times += time
        whole += [a for t, a in zip(here, time) if t["whole"]]
        peaks += peak
        worst = max(range(len(here)), key=lambda k: abs(time[k]))
        rows.append(f"| {path.stem} | {len(here)} | {off(time)} | {time[worst]:+.0f} "
                    f"({here[worst]['truth']}: {here[worst]['forecast_s']:.3f} s of "
                    f"{here[worst]['seconds']:.3f} s) | {off(peak)} | {max(peak, key=abs):+.1f} |")
        for t, a, b in zip(here, time, peak):
            if every:
                rows.append(f"| {path.stem} {t['truth']} | | {a:+.0f} | {t['forecast_s']:.3f} of "
                            f"{t['seconds']:.3f} | {b:+.1f} | {t['bytes'] / 2**20:.1f} MiB |")
    print("| cell | candidates | time, median error % | worst | peak memory, median error % | "
          "worst |")
    print("| --- " * 6 + "|")
    print("\n".join(rows))
    print(f"\nmedian error of {len(times)} forecasts: time {off(times)} %, peak memory {off(peaks)} %; of the "
          f"{len(whole)} whose runs none was stopped early: time {off(whole)} %")


def off(errors):
    return f"{statistics.median(map(abs, errors)):.1f}"
