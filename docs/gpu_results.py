"""Writes the section of results.md about runs on a GPU: gpu_results.py DOCS CARD RUN...

RUN is the --out directory of a finished pretrain with k-NN, with what it printed in RUN/log.txt. The section is the
last of the page.
"""
import json
import os
import re
import struct
import sys

from results_common import PARTS, command, images_of_step, put, read, table


def options_of(checkpoint):
    with open(checkpoint, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        return json.loads(json.loads(f.read(length))["__metadata__"]["options"])


def main(docs, card, *directories):
    runs = []  # (options, the last line of the metrics, images a second, minutes)
    for directory in directories:
        options = options_of(os.path.join(directory, "checkpoint.safetensors"))
        last = json.loads(read(os.path.join(directory, "metrics.jsonl")).splitlines()[-1])
        rate = int(re.findall(r"100 %.* (\d+) images/s", read(os.path.join(directory, "log.txt")))[-1])
        seconds = last["step"] * images_of_step(options) / rate
        runs.append((options, last, rate, seconds))
    first = runs[0][0]
    names = [options["method"] for options, *_ in runs]
    page = [PARTS[2] + "\n"]
    page.append("Written by `docs/gpu_results.py`.")
    page.append(f"{card}, {first['precision']}. Each run: {first['epochs']} epochs of all training images of "
                f"{first['dataset']}, {runs[0][1]['step']} steps of {images_of_step(first)} images; "
                f"{first['depth']} layers, width {first['width']}, {first['heads']} heads, patches of "
                f"{first['patch']} pixels; one seed. k-NN (k = {first['k']}) of each layer's class token, top-1 in "
                "percent, all training images against all test images.\n")
    knn_of_layers = zip(runs[0][1]["knn_untrained"], *(last["knn_trained"] for _, last, *_ in runs))
    page += table(["layer", "untrained", *names],
                  [[str(layer + 1), *(f"{100 * x:.2f}" for x in row)] for layer, row in enumerate(knn_of_layers)])
    knn = {name: last["knn_trained"] for name, (_, last, *_) in zip(names, runs)}
    for name in names:
        if "sd-" + name not in knn:
            continue
        gains = [100 * (b - a) for a, b in zip(knn[name], knn["sd-" + name])]
        page.append(f"- sd-{name} is ahead of {name} in {sum(g > 0 for g in gains)} of {len(gains)} layers: by "
                    f"{gains[0]:.2f} points in the first, {gains[len(gains) // 2 - 1]:.2f} in layer {len(gains) // 2} "
                    f"and {gains[-1]:.2f} in the last.")
    page += [f"- {name}: trained in {seconds:.0f} s, {rate:,} images/s from the first step on."
             for name, (_, _, rate, seconds) in zip(names, runs)]
    page.append("\n```sh")
    page += [command(options) for options, *_ in runs]
    page.append("```\n")
    put(docs, "\n".join(page))


if __name__ == "__main__":
    main(*sys.argv[1:])
