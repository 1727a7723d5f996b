"""Writes results.md and its charts from a finished experiment: make_results.py EXPERIMENT DOCS

EXPERIMENT is the OUT of examples/experiment_cifar10.sh: tuned/ and published/ (the base rates), in each of them the
runs of pretrain, with what they printed in RUN/log.txt and what evaluate wrote in RUN/evaluation, and in comparison/
what compare made of them.
"""
import json
import os
import re
import shutil
import sys

from results_common import PARTS, command, images_of_step, put, read, table


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


# The published settings (shared by the authors' six configuration files; base rate: SimCLR's own is 1.3e-4), each with
# the option of pretrain that answers to it.
PUBLISHED = [
    ("images", "ImageNet, 224 x 224 pixels", lambda o: f"{o['dataset']}, {o['image']} x {o['image']} pixels"),
    ("network", "ViT-B: 12 layers, width 768, 12 heads, patches of 16 pixels", lambda o:
     f"{o['depth']} layers, width {o['width']}, {o['heads']} heads, patches of {o['patch']} pixels"),
    ("epochs, of which warm-up", "300, 40", lambda o: f"{o['epochs']}, {o['warmup-epochs']}"),
    ("images of a step", "devices x 128, keys of all devices", lambda o: f"{images_of_step(o)}"),
    ("hidden width of the heads, of the projections", "4096, 256", lambda o: f"{o['hidden']}, {o['out-dim']}"),
    ("numbers", "fp32", lambda o: o["precision"]),
    ("optimiser, weight decay", "adamw, 0.1", lambda o: f"{o['optimizer']}, {o['weight-decay']:g}"),
    ("momentum of the teacher", "from 0.996", lambda o: f"from {o['momentum']:g}"),
    ("ratio of sd-moco-v3; sd-simclr and sd-byol", "1; 0.8, rising along a cosine", None),
    ("views", "moco-v3, crops from 0.08 of the area", lambda o: f"{o['augmentation']}, crops from "
     f"{0.08 if o['crop-min'] < 0 else o['crop-min']:g} of the area"),
    ("clipped gradients", "none", lambda o: f"{o['clip-grad']:g}" if o["clip-grad"] else "none"),
]


class Run:
    """One run of pretrain and its evaluation."""

    def __init__(self, seed, evaluation):
        directory = os.path.dirname(evaluation)
        self.seed = seed
        self.options = json.loads(read(os.path.join(evaluation, "results.json")))["run"]
        self.name = self.options["method"]
        lines = [json.loads(line) for line in read(os.path.join(directory, "metrics.jsonl")).splitlines()]
        self.steps = [line for line in lines if "loss" in line]
        self.knn = next((line for line in reversed(lines) if "knn_trained" in line), None)
        self.log = read(os.path.join(directory, "log.txt"))


def runs_of(experiment, rate):
    """The runs at a base rate, and the folder of their comparison."""
    comparison = os.path.join(experiment, rate, "comparison")
    found = json.loads(read(os.path.join(comparison, "comparison.json")))
    runs = [Run(run["seed"], run["path"]) for group in found["groups"] for run in group["runs"]]
    return runs, comparison


def means(runs, key):
    """For each network, in order: the mean over its seeds of a list of the last metrics, in percent."""
    out = {}
    for name in dict.fromkeys(run.name for run in runs):
        lists = [run.knn[key] for run in runs if run.name == name and run.knn and key in run.knn]
        if lists:
            out[name] = [100 * sum(layer) / len(lists) for layer in zip(*lists)]
    return out


def knn_table(columns):
    return table(["layer", *columns], [[str(layer + 1), *(f"{x:.2f}" for x in row)]
                                       for layer, row in enumerate(zip(*columns.values()))])


def student_and_teacher(runs):
    columns, teacher = {}, means(runs, "knn_teacher")
    for name, student in means(runs, "knn_trained").items():
        columns[name + (", student" if name in teacher else "")] = student
        if name in teacher:
            columns[name + ", teacher"] = teacher[name]
    return columns


def differences(options):
    """What of the published settings is not so here, by the options of a run of each method."""
    rows = []
    for what, published, here in PUBLISHED:
        if here:
            own = here(next(iter(options.values())))
        else:
            own = "; ".join(f"{options[m]['ratio']:g}" for m in ("sd-moco-v3", "sd-simclr") if m in options)
            rise = {o["ratio-schedule"] for m, o in options.items() if m.startswith("sd-")}
            own += ", rising along a cosine" if rise == {"cosine"} else ", constant"
        rows.append([what, published, "the same" if own == published else own])
    return rows


def main(experiment, docs):
    rates = [rate for rate in ("tuned", "published") if os.path.isdir(os.path.join(experiment, rate, "comparison"))]
    parts = {rate: runs_of(experiment, rate) for rate in rates}
    runs, comparison = parts[rates[0]]
    every = [run for part, _ in parts.values() for run in part]
    first = runs[0].options
    options = {run.name: run.options for run in runs}

    page = [PARTS[0] + "\n"]
    page.append("Written by `docs/make_results.py` from the files of `examples/experiment_cifar10.sh`, which repeats "
                "them.")
    page.append(f"Machine: {processor()}. Each run: {first['epochs']} epochs of all training images of "
                f"{first['dataset']}, {len(runs[0].steps)} steps of {images_of_step(first)} images. The "
                f"{len(every)} runs took {sum(minutes(run.log, 'user') for run in every) / 60:.1f} hours"
                f"{or_more(*(run.log for run in every))} of processor time together.\n")
    page.append("The recipe is the published one; the budget is a processor's, far from the paper's. So no order of "
                "methods is judged here: fewer than 100 epochs do not show it.\n")
    page += table(["setting", "published", "here"], differences(options))
    page.append("The base rate is published as 1.5e-4 (SimCLR 1.3e-4), for hundreds of epochs; "
                f"{first['lr']:g} suits so few better. What follows is at {first['lr']:g}, and then the published "
                "rates.\n")
    text = read(os.path.join(comparison, "comparison.md"))
    for chart in re.findall(r"\]\((\w+\.svg)\)", text):
        shutil.copyfile(os.path.join(comparison, chart), os.path.join(docs, "results_" + chart))
    page.append(re.sub(r"\]\((\w+\.svg)\)", r"](results_\1)", text))

    for rate in rates:
        title = "at the published base rates" if rate == "published" else f"at a base rate of {first['lr']:g}"
        seeds = sorted({run.seed for run in parts[rate][0]})
        page.append(f"## Student and teacher {title}\n\nk-NN of all layers by the last epoch's student and teacher "
                    f"(SimCLR has none), k = {first['k']}, in percent; "
                    f"{'means over seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}.\n")
        page += knn_table(student_and_teacher(parts[rate][0]))
    page.append("## Untrained\n\nk-NN of the network before training, which depends on the seed alone, in percent.\n")
    page += knn_table({f"seed {run.seed}": [100 * x for x in run.knn["knn_untrained"]] for run in runs if run.knn})
    page.append("## Training\n\nLosses of different methods are sums of different numbers of terms and do not compare. "
                "Times include k-NN before and after.\n")
    page += table(["run", "base rate", "seed", "steps", "first loss", "last loss", "wall time", "processor time"],
                  [[run.name, f"{run.options['lr']:g}", str(run.seed), str(len(run.steps)),
                    f"{run.steps[0]['loss']:.4f}", f"{run.steps[-1]['loss']:.4f}",
                    f"{minutes(run.log, 'real'):.0f} min{or_more(run.log)}",
                    f"{minutes(run.log, 'user'):.0f} min{or_more(run.log)}"] for run in every])
    page.append("```sh")
    page += [command(run.options) for part, _ in parts.values() for run in part if run.seed == runs[0].seed]
    page.append("```\n\nThe other seeds differ in `--seed` alone.\n")
    put(docs, "\n".join(page))


main(*sys.argv[1:])
