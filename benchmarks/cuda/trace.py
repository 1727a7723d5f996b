"""The kernels of one training step by time, as PyTorch's profiler sees them, and the sum of each family of kernels.

    bash cmake/nvcc.sh nvcc usual -O2 -shared -Xcompiler -fPIC -Iinclude -o libstep.so -lcublasLt \\
      benchmarks/cuda/step_library.cu
    trace.py ./libstep.so ViT-B/16 128 [ROWS]     the models are those of step.cu

Needs a GPU and PyTorch 2.
"""
import collections
import ctypes
import os
import re
import sys

import torch

FAMILIES = [  # a kernel belongs to the first whose pattern its name has
    ("attention", r"attention"),
    ("norms", r"layer_norm|batch_norm|l2_rows"),
    ("products", r"nvjet|gemm|cutlass|cublas|splitK|matmul"),
    ("optimiser", r"evaluate_jobs"),  # AdamW, the teacher's average, bf16 copies of the weights
    ("element-wise and sums", r"cuda::detail::"),
    ("copies and fills", r"^Mem(cpy|set)"),
]


def kernels_of(library, model, batch):
    """{name: [count, milliseconds]} of one step's work on the device."""
    if library.prepare(model.encode(), batch) or library.steps(3):
        sys.exit(1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        status = library.steps(1)
        torch.cuda.synchronize()
    if status:
        sys.exit(1)
    table = collections.defaultdict(lambda: [0, 0.0])
    for event in profile.events():
        us = getattr(event, "self_device_time_total", 0)
        if not us or re.match(r"cu(da)?[A-Z]|(Command|Activity) Buffer", event.name):  # the host's side
            continue
        entry = table[re.sub(r"vitral::(v\w+::)?|\(anonymous namespace\)::", "", event.name)]
        entry[0] += 1
        entry[1] += us / 1e3
    return table


def family_of(name):
    return next((family for family, pattern in FAMILIES if re.search(pattern, name)), "other")


def main(path, model, batch, rows=60):
    torch.zeros(1, device="cuda")  # the context that the profiler watches
    table = kernels_of(ctypes.CDLL(os.path.abspath(path)), model, int(batch))
    ordered = sorted(table.items(), key=lambda item: -item[1][1])
    total = sum(ms for _, ms in table.values())

    def line(count, ms, name):
        print(f"{ms:8.3f} ms {ms / total:6.1%} {count:5d} x  {name}")

    count = sum(n for name, (n, _) in table.items() if not name.startswith("Mem"))
    print(f"{model}, batch {batch}: {count} kernels, {total:.2f} ms")
    for name, (n, ms) in ordered[:int(rows)]:
        line(n, ms, name[:150])
    families = collections.defaultdict(lambda: [0, 0.0])
    for name, (n, ms) in ordered:
        families[family_of(name)][0] += n
        families[family_of(name)][1] += ms
    print("\nBy family:")
    for name, (n, ms) in sorted(families.items(), key=lambda item: -item[1][1]):
        line(n, ms, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
