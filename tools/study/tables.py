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


def verdicts(build, records, more):
    rules, shares, regrets, rows = {}, [], [], []
    for path in records:
        said = lines_of(build, "replay", path, more)
        truth = [s for s in said if "truth" in s]
        plays = [s for s in said if "replay" in s]
        best = min(truth, key=lambda t: t["regret"])
        mine = [p["regret"] for p in plays]
        inside = mean([r <= p["margin"] for r, p in zip(mine, plays)])
        outcome = [sum(p["outcome"] == o for p in plays) for o in ("better", "tie", "undecided")]
        here = rules_of(truth)
        for name, regret in here.items():
            rules.setdefault(name, []).append(regret)
        shares.append(inside)
        regrets.append(mine)
        named = statistics.mode(p["winner"] for p in plays)
        rows.append(f"| {path.stem} | {best['truth']} | {named} | {'/'.join(map(str, outcome))} | "
                    f"{100 * inside:.0f} | {statistics.median(mine):.2f} | {max(mine):.2f} | "
                    f"{100 * mean([p['spent'] for p in plays]):.0f} | "
                    + " | ".join(points(here[n]) for n in here) + " |")
    every = [r for mine in regrets for r in mine]
    print("| cell | best | named most often | better/tie/undecided | within the margin, % | "
          "regret, median | worst | cost, % | " + " | ".join(rules) + " |")
    print("| --- " * (8 + len(rules)) + "|")
    print("\n".join(rows))
    there = {n: [r for r in v if r is not None] for n, v in rules.items()}
    print(f"| all | | | | {100 * mean(shares):.1f} | {statistics.median(every):.2f} | "
          f"{max(every):.2f} | | "
          + " | ".join(f"{statistics.median(v):.2f}; worst {max(v):.2f}" for v in there.values())
          + " |")
    print(f"\n{len(every)} replays; mean regret {mean(every):.3f}. On the same cells the rule's "
          "mean regret and the verdict's:")
    for name, values in rules.items():
        both = [(r, mean(m)) for r, m in zip(values, regrets) if r is not None]
        print(f"  {name}: {mean([r for r, _ in both]):.2f} and {mean([m for _, m in both]):.2f} "
              f"({len(both)} cells)")


def crossings(build, records):
    print("| cell | rows | route | foretold at all rows | measured (95 %) | error | law |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ends, errors = [], []
    for path in records:
        try:
            said = lines_of(build, "crossing", path)
        except subprocess.CalledProcessError:
            continue
        *curves, cross = said
        for c in curves:
            share = abs(c["told"]) <= 1.0 and c["measured"] >= 0.0
            scale, unit = (100.0, "") if share else (1.0, "")
            errors.append(abs(c["told"] - c["measured"]) / cross["margin"])
            print(f"| {path.stem} | {cross['half']} -> {cross['rows']} | {c['curve']} | "
                  f"{scale * c['told']:.2f} | {scale * c['measured']:.2f} "
                  f"({scale * c['low']:.2f} to {scale * c['high']:.2f}) | "
                  f"{scale * (c['told'] - c['measured']):+.2f}{unit} | "
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


def unknown(value):
    return "not said" if value is None else f"{value:.2f}"


def rows_of(c, beyond):
    if beyond:
        return "beyond ten times the rows"
    if c["rows"] is None:
        return "none foretold"
    high = "beyond" if c["high"] is None else f"{c['high']:.0f}"
    return f"{c['rows']:.0f} ({c['low'] or 0:.0f} to {high})"


def forecasts(build, records):
    times, peaks = [], []
    print("| cell | route | seconds foretold | taken | error, % | MiB foretold | "
          "taken | error, % |")
    print("| --- " * 8 + "|")
    for path in records:
        for t in lines_of(build, "replay", path, ("--replays", 0, "--seeds", 3)):
            if not t["forecast_bytes"]:
                continue  # nothing is trained
            time = 100 * (t["forecast_s"] / t["seconds"] - 1)
            peak = 100 * (t["forecast_bytes"] / t["bytes"] - 1)
            times.append(abs(time))
            peaks.append(abs(peak))
            print(f"| {path.stem} | {t['truth']} | {t['forecast_s']:.3f} | {t['seconds']:.3f} | "
                  f"{time:+.0f} | {t['forecast_bytes'] / 2**20:.1f} | {t['bytes'] / 2**20:.1f} | "
                  f"{peak:+.1f} |")
    print(f"\nmedian error of {len(times)} forecasts: time {statistics.median(times):.1f} %, "
          f"peak memory {statistics.median(peaks):.1f} %")
