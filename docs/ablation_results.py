"""Writes the part of results.md about ablations: ablation_results.py ABLATIONS DOCS

ABLATIONS is the OUT of a finished examples/ablations.sh.
"""
import os
import sys

from results_common import PARTS, put, read

ablations, docs = sys.argv[1:]
put(docs, f"{PARTS[1]}\n\nWritten by `docs/ablation_results.py` from what `examples/ablations.sh` left.\n" +
    read(os.path.join(ablations, "ablations.md")))
