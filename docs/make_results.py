"""Writes results.md and its charts from a finished experiment: make_results.py COMPARISON DOCS

COMPARISON is the --out directory of compare, whose runs are evaluations inside runs of pretrain, as
examples/experiment_cifar10.sh lays them out: RUN/evaluation beside RUN/metrics.jsonl and RUN/log.txt.
"""
import json
import os
import re
import shutil
import sys

from results_common import GPU_HEADING, command, read


def processor():
    with open("/proc/cpuinfo") as f:
        models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{len(models)} cores of {models[0]}" if models else "unknown"


def minutes(text, what):
    """The sum over the parts of a run: each part's `time` adds a line."""
    return sum(int(m) + float(s) / 60 for m, s in re.findall(rf"^{what}\s+(\d+)m([\d.]+)s", text, re.M))


def or_more(*texts):
    """A part that was killed left no time."""
    return " or more" if any(text.count("part begins") > len(re.findall("^real", text, re.M)) for text in texts) else ""


comparison, docs = sys.argv[1:]
found = json.loads(read(os.path.join(comparison, "comparison.json")))
pairs = [(group["name"], title, gain) for group in found["groups"] for title, gain in group.get("gain", {}).items()]
runs = []  # (network, seed, options, lines with a loss, k-NN of the untrained network, log)
for group in found["groups"]:
    for run in group["runs"]:
        directory = os.path.dirname(run["path"])
        lines = [json.loads(line) for line in read(os.path.join(directory, "metrics.jsonl")).splitlines()]
        options = json.loads(read(os.path.join(run["path"], "results.json")))["run"]
        untrained = [line["knn_untrained"] for line in lines if "knn_untrained" in line]
        runs.append((group["name"], run["seed"], options, [line for line in lines if "loss" in line], untrained,
                     read(os.path.join(directory, "log.txt"))))
first = runs[0][2]
images = f"the first {first['limit']}" if first["limit"] else "all"

page = ["# Results\n"]
page.append("Written by `docs/make_results.py` from the files of `examples/experiment_cifar10.sh`, which repeats them.")
page.append(f"Machine: {processor()}. Budget of every run: --epochs {first['epochs']} with {images} training images of "
            f"{first['dataset']}, {len(runs[0][3])} steps of {first['batch'] * first['accumulate']} images; a network "
            f"of {first['depth']} layers, width {first['width']}, {first['heads']} heads, patches of {first['patch']} "
            f"pixels. The {len(runs)} runs took {sum(minutes(run[5], 'user') for run in runs) / 60:.1f} hours"
            f"{or_more(*(run[5] for run in runs))} of processor time together.")
if first["device"] == "cpu":
    page.append("This is the budget of a processor: a small network and few epochs, far from the paper's.")
page.append("")
if pairs:
    ahead = sum(gain["not_worse"] == gain["layers"] for *_, gain in pairs)
    below = sum(gain["lower"] > gain["upper"] for *_, gain in pairs)
    page.append("The paper finds the self-distilled network at least as good at every layer, with the larger gain in "
                f"the lower ones. Of {len(pairs)} pairs of a method and a classifier here, {ahead} are at least as "
                f"good at every layer, and {below} gain more in the lower half of the layers than in the upper.\n")
text = read(os.path.join(comparison, "comparison.md"))
for chart in re.findall(r"\]\((\w+\.svg)\)", text):
    shutil.copyfile(os.path.join(comparison, chart), os.path.join(docs, "results_" + chart))
page.append(re.sub(r"\]\((\w+\.svg)\)", r"](results_\1)", text))
if runs[0][4]:
    trained_from = {seed: untrained[0] for _, seed, _, _, untrained, _ in runs if untrained}
    page.append("## Untrained\n\nk-NN of the network before training, which depends on the seed alone, in percent.\n")
    page.append("| layer | " + " | ".join(f"seed {seed}" for seed in trained_from) + " |")
    page.append("| --- |" + " ---: |" * len(trained_from))
    for layer, accuracies in enumerate(zip(*trained_from.values())):
        page.append(f"| {layer + 1} | " + " | ".join(f"{100 * x:.2f}" for x in accuracies) + " |")
    page.append("")
page.append("## Training\n\nLosses of different methods are sums of different numbers of terms and do not compare. "
            "Times include k-NN before and after.\n")
page.append("| run | seed | steps | first loss | last loss | wall time | processor time |")
page.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
for name, seed, _, steps, _, log in runs:
    page.append(f"| {name} | {seed} | {len(steps)} | {steps[0]['loss']:.4f} | {steps[-1]['loss']:.4f} | "
                f"{minutes(log, 'real'):.0f} min{or_more(log)} | {minutes(log, 'user'):.0f} min{or_more(log)} |")
page.append("\n```sh")
page += [command(run[2]) for run in runs if run[1] == runs[0][1]]
page.append("```\n\nThe other seeds differ in `--seed` alone.\n")
path = os.path.join(docs, "results.md")
_, heading, rest = (read(path) if os.path.exists(path) else "").partition(GPU_HEADING)  # gpu_results.py wrote it
with open(path, "w") as f:
    f.write("\n".join(page) + ("\n" + heading + rest if heading else ""))
