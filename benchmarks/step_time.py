"""Times whole optimisation steps of one self-distilled method in PyTorch, as benchmark_step does in Vitral.

    step_time.py [--width 192 --depth 12 --heads 3 --image 32 --patch 4 --batch 64 --hidden 1024 --out 256]
                 [--method moco|byol|simclr] [--dtype fp32|bf16] [--threads 2] [--steps 5] [--compile]
                 [--write-state FILE | --state FILE]

--write-state writes the initial networks and the two views and ends; with --state this program and benchmark_step both
start from that file and print the loss of the first step. Loading is what both do, so peak memory compares too.
The method is the oracle of tests/golden. Runs on Debian's python3-torch (1.13) and newer.
"""
import argparse
import os
import resource
import sys
import time

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
import sdssl_reference as ref
import state_file

p = argparse.ArgumentParser()
for name, default in dict(width=192, depth=12, heads=3, image=32, patch=4, batch=64, hidden=1024, out=256, threads=2,
                          steps=5).items():
    p.add_argument("--" + name, type=int, default=default)
p.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
p.add_argument("--method", default="moco", choices=["moco", "byol", "simclr"])
p.add_argument("--compile", action="store_true", help="torch.compile the loss (PyTorch 2)")
p.add_argument("--write-state", metavar="FILE", help="write networks and views, time nothing")
p.add_argument("--state", metavar="FILE", help="start from the networks and views of this file")
a = p.parse_args()
if a.compile and not hasattr(torch, "compile"):
    sys.exit(f"--compile needs PyTorch 2, and this is {torch.__version__}")
torch.set_num_threads(a.threads)
torch.manual_seed(0)

last_bn = a.method != "byol"
student = ref.Branch(ref.ViT(a.image, a.patch, a.width, a.depth, a.heads), a.hidden, a.out, a.method != "simclr", True,
                     last_bn)
teacher = ref.make_teacher(student, a.hidden, a.out, last_bn) if a.method != "simclr" else None
view1, view2 = torch.randn(2, a.batch, 3, a.image, a.image)
tensors = {"view1": view1, "view2": view2, **state_file.named("student.", student),
           **(state_file.named("teacher.", teacher) if teacher else {})}
if a.write_state:
    state_file.save(a.write_state, tensors)
    sys.exit()
if a.state:
    for name, value in state_file.load(a.state):
        tensors[name].copy_(value)  # state_dict() gives the networks' own memory
del tensors

matrices = [q for q in student.parameters() if q.requires_grad and q.ndim > 1]
vectors = [q for q in student.parameters() if q.requires_grad and q.ndim <= 1]
optimizer = torch.optim.AdamW([dict(params=matrices), dict(params=vectors, weight_decay=0.0)], lr=1e-4,
                              weight_decay=0.1)


def loss_of(view1, view2):
    if a.method == "simclr":
        return ref.sd_simclr(student, view1, view2, 0.8)
    criterion = ref.info_nce if a.method == "moco" else ref.cosine_distance
    return ref.sd_teacher_student(student, teacher, view1, view2, 1.0, criterion)


if a.compile:
    loss_of = torch.compile(loss_of)


def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=a.dtype == "bf16"):
        loss = loss_of(view1, view2)
    loss.backward()
    optimizer.step()
    if teacher:
        ref.ema(teacher, student, 0.996)
    return loss.item()


first_loss = step()
step()
seconds = []
for _ in range(a.steps):
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
median = sorted(seconds)[len(seconds) // 2]
print(f"PyTorch {torch.__version__} {a.method} {a.dtype}{' compiled' if a.compile else ''} batch {a.batch}: "
      f"median {median * 1e3:.1f} ms/step, {a.batch / median:.1f} images/s, "
      f"peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
if a.state:
    print(f"first loss {first_loss:.7g}")
