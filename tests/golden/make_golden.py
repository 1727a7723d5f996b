"""Writes golden files: one optimisation step of each method, computed in float64 by PyTorch.

    make_golden.py OUT_DIR [--seed 0] [--methods sd-moco byol ...] [--image 16 --patch 4 --width 48 --depth 4 ...]

README.md beside this file says what a file holds. Runs on Debian's python3-torch.
"""
import argparse
import os
import sys

import torch

sys.dont_write_bytecode = True
import sdssl_reference as ref
from safetensors_file import save

METHODS = ["simclr", "sd-simclr", "byol", "sd-byol", "moco", "sd-moco"]
# Options of the published code: name of the file -> method, `up`, `t_inter`, `dis_token`.
VARIANTS = {"sd-simclr-up": ("sd-simclr", 1, False, False), "sd-moco-up": ("sd-moco", 2, False, False),
            "sd-byol-t-inter": ("sd-byol", 0, True, False), "sd-byol-t-inter-up": ("sd-byol", 1, True, False),
            "sd-moco-dis-token": ("sd-moco", 0, False, True)}

p = argparse.ArgumentParser()
p.add_argument("out")
for name, default in dict(seed=0, image=16, patch=4, width=48, depth=4, heads=3, hidden=64, proj=32, batch=6).items():
    p.add_argument("--" + name, type=int, default=default)
p.add_argument("--ratio", type=float, default=0.7)
p.add_argument("--methods", nargs="+", choices=METHODS + list(VARIANTS), default=METHODS + list(VARIANTS))
a = p.parse_args()
torch.set_default_dtype(torch.float64)
LR, WD, MOMENTUM, TAU = 1e-3, 0.1, 0.99, 0.2


def state(prefix, module):
    return {f"{prefix}.{k}": v.clone() for k, v in module.state_dict().items() if v.is_floating_point()}


def case(name):
    full_method, up, t_inter, dis_token = VARIANTS.get(name, (name, 0, False, False))
    method, self_distilled = full_method.removeprefix("sd-"), name.startswith("sd-")
    torch.manual_seed(a.seed)
    last_bn = method != "byol"
    student = ref.Branch(ref.ViT(a.image, a.patch, a.width, a.depth, a.heads, dis_token=dis_token), a.hidden, a.proj,
                         method != "simclr", self_distilled, last_bn, up)
    teacher = ref.make_teacher(student, a.hidden, a.proj, last_bn, t_inter) if method != "simclr" else None
    for m in (student, teacher):  # move away from the initial values, where zero biases hide mistakes
        for q in (m.parameters() if m else ()):
            if q.requires_grad or m is teacher:
                q.data += 0.02 * torch.randn_like(q)
    view1, view2 = torch.randn(2, a.batch, 3, a.image, a.image)
    t = {"view1": view1, "view2": view2, **state("student", student)}
    if teacher:
        t.update(state("teacher", teacher))
    with torch.no_grad():
        student.eval()
        for i, x in enumerate(student.encoder.layers(view1)):
            t[f"features.{i}"] = x
        student.train()
    if method == "simclr":
        loss = ref.sd_simclr(student, view1, view2, a.ratio)
    else:
        loss = ref.sd_teacher_student(student, teacher, view1, view2, a.ratio,
                                      ref.info_nce if method == "moco" else ref.cosine_distance)
    loss.backward()
    t["loss"] = loss
    named = [(k, q) for k, q in student.named_parameters() if q.requires_grad]
    named = [(k, q) for k, q in named if q.grad is not None]  # projectors that `up` drops have none
    t.update({f"grad.student.{k}": q.grad.clone() for k, q in named})
    decay = [q for _, q in named if q.ndim > 1]
    plain = [q for _, q in named if q.ndim <= 1]
    torch.optim.AdamW([dict(params=decay, weight_decay=WD), dict(params=plain, weight_decay=0.0)],
                      lr=LR, betas=(0.9, 0.999), eps=1e-8).step()
    if teacher:
        ref.ema(teacher, student, MOMENTUM)
    t.update({f"after.{k}": v for k, v in state("student", student).items()})
    if teacher:
        t.update({f"after.{k}": v for k, v in state("teacher", teacher).items()})
    meta = dict(method=full_method, image=a.image, patch=a.patch, width=a.width, depth=a.depth, heads=a.heads,
                hidden=a.hidden, proj=a.proj, batch=a.batch, ratio=a.ratio, temperature=TAU, lr=LR,
                weight_decay=WD, beta1=0.9, beta2=0.999, eps=1e-8, momentum=MOMENTUM, torch=torch.__version__)
    if name in VARIANTS:
        meta.update(up=up, t_inter=int(t_inter))
    if dis_token:
        meta.update(dis_token=1)
    save(os.path.join(a.out, name + ".safetensors"), t, meta)
    print(f"{name}: loss {loss.item():.6f}, {len(t)} tensors")


os.makedirs(a.out, exist_ok=True)
for name in a.methods:
    case(name)
