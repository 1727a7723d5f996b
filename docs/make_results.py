"""Writes docs/results.md from finished runs: make_results.py RUN... >docs/results.md

A run is the --out directory of pretrain; where it holds log.txt (see examples/compare_cifar10.sh) the times come from there.
"""
import json
import os
import re
import struct
import sys


def checkpoint_options(run):
    with open(os.path.join(run, "checkpoint.safetensors"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    return json.loads(header["__metadata__"]["options"])


def processor():
    with open("/proc/cpuinfo") as f:
        models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{len(models)} cores of {models[0]}"


def minutes(text, what):
    found = re.search(rf"^{what}\s+(\d+)m([\d.]+)s", text, re.M)
    return f"{int(found[1]) + float(found[2]) / 60:.0f} min" if found else "not recorded"


runs = []
for directory in sys.argv[1:]:
    with open(os.path.join(directory, "metrics.jsonl")) as f:
        lines = [json.loads(line) for line in f]
    log = os.path.join(directory, "log.txt")
    text = open(log).read() if os.path.exists(log) else ""
    runs.append((checkpoint_options(directory), [x for x in lines if "loss" in x], lines[-1], text))

print("# Results\n")
print("Written by `docs/make_results.py` from the runs' own files; `examples/compare_cifar10.sh` repeats them.")
print(f"Machine: {processor()}.\n")
print("k-NN accuracy (cosine, weights exp(s / 0.07)) of the class token after each layer, in percent, on the test images")
print("against the training images; the untrained network is the same for every run.\n")
names = [options["method"] for options, *_ in runs]
print("| layer | untrained | " + " | ".join(names) + " |")
print("| --- | --- |" + " --- |" * len(runs))
for layer, untrained in enumerate(runs[0][2]["knn_untrained"]):
    row = [untrained] + [last["knn_trained"][layer] for _, _, last, _ in runs]
    print(f"| {layer + 1} | " + " | ".join(f"{100 * x:.2f}" for x in row) + " |")
print("\n| run | steps | first loss | last loss | wall time | processor time |")
print("| --- | --- | --- | --- | --- | --- |")
for name, (_, steps, _, log) in zip(names, runs):
    print(f"| {name} | {len(steps)} | {steps[0]['loss']:.4f} | {steps[-1]['loss']:.4f} | {minutes(log, 'real')} | "
          f"{minutes(log, 'user')} |")
print("\nThe losses of the two methods are sums of different numbers of terms and do not compare. Commands:\n\n```sh")
free = {"arch", "out"}
for options, *_ in runs:
    options["data"] = "DIR"
    print("pretrain " + " ".join(f"--{key} {value}" for key, value in options.items() if key not in free))
print("```")
