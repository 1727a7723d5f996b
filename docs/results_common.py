"""What make_results.py, ablation_results.py and gpu_results.py share, each of which writes a part of results.md."""
import os
import re

# The parts of the page, in their order, by their first lines.
PARTS = ["# Results", "## Ablations", "## On a GPU"]


def read(path):
    with open(path) as f:
        return f.read()


def command(options):
    """The call of pretrain with these options, less the names of folders and what is empty."""
    return "pretrain --data DIR " + " ".join(f"--{key}" if value is True else f"--{key} {value}"
                                             for key, value in options.items()
                                             if key not in {"arch", "out", "data"} and value != ""
                                             and value is not False)


def put(docs, text):
    """Puts a part, which starts with one of PARTS, into DOCS/results.md, in the place of the one that was there."""
    path = os.path.join(docs, "results.md")
    before = read(path) if os.path.exists(path) else ""
    starts = "|".join(map(re.escape, PARTS))
    found = re.split(rf"^(?=(?:{starts})$)", before, flags=re.M) + [text]
    parts = {part.split("\n")[0]: part.strip("\n") + "\n" for part in found}  # the last of a name wins
    with open(path, "w") as f:
        f.write("\n".join(parts[start] for start in PARTS if start in parts))
