"""What make_results.py, ablation_results.py and gpu_results.py share, each of which writes a part of results.md."""
import os
import re

# The parts of the page, in their order, by their first lines.
PARTS = ["# Results", "## Ablations", "## On a GPU"]


def read(path):
    with open(path) as f:
        return f.read()


def images_of_step(options):
    return options["batch"] * options["accumulate"] * options.get("devices", 1)  # 0.1.0 had no --devices


def without_effect(method):
    """The options that a run of the method holds, and that pretrain refuses where they are given."""
    names = set() if method.startswith("sd-") else {"ratio", "ratio-schedule"}
    return names | {"byol": {"temperature"}, "simclr": {"momentum"}}.get(method.removeprefix("sd-"), set())


def command(options):
    """The call of pretrain with these options, less the names of folders, what is empty and what is without effect."""
    left_out = {"arch", "out", "data"} | without_effect(options["method"])
    return "pretrain --data DIR " + " ".join(f"--{key}" if value is True else f"--{key} {value}"
                                             for key, value in options.items()
                                             if key not in left_out and value != "" and value is not False)


def table(head, rows):
    """The lines of a table in Markdown."""
    return ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def put(docs, text):
    """Puts a part, which starts with one of PARTS, into DOCS/results.md, in the place of the one that was there."""
    path = os.path.join(docs, "results.md")
    before = read(path) if os.path.exists(path) else ""
    starts = "|".join(map(re.escape, PARTS))
    found = re.split(rf"^(?=(?:{starts})$)", before, flags=re.M) + [text]
    parts = {part.split("\n")[0]: part.strip("\n") + "\n" for part in found}  # the last of a name wins
    with open(path, "w") as f:
        f.write("\n".join(parts[start] for start in PARTS if start in parts))
