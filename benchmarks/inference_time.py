"""Times the inference of the oracle's ViT in PyTorch, as benchmark_inference does in Vitral.

    inference_time.py [--model tiny|small|base] [--batch 1] [--threads 2] [--runs 20] [--dtype fp32|bf16] [--compile]
                      [--state FILE]

--state takes weights and images from a file of export_onnx.py and prints the beginning of image 0's features.
"""
import argparse
import sys
import time

import torch

sys.dont_write_bytecode = True
from export_onnx import SIZES, make_vit
import state_file

p = argparse.ArgumentParser()
p.add_argument("--model", default="tiny", choices=SIZES)
for name, default in dict(batch=1, threads=2, runs=20).items():
    p.add_argument("--" + name, type=int, default=default)
p.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
p.add_argument("--compile", action="store_true", help="torch.compile the network (PyTorch 2)")
p.add_argument("--state", metavar="FILE", help="weights and images")
a = p.parse_args()
if a.compile and not hasattr(torch, "compile"):
    sys.exit(f"--compile needs PyTorch 2, and this is {torch.__version__}")
torch.set_num_threads(a.threads)
torch.manual_seed(0)
vit = make_vit(a.model).eval()
images = torch.randn(a.batch, 3, 224, 224)
if a.state:
    tensors = dict(state_file.load(a.state))
    images = tensors.pop("images")[:a.batch].clone()
    if len(images) < a.batch:
        sys.exit(f"{a.state} has fewer than {a.batch} images")
    vit.load_state_dict(tensors)
    del tensors
network = torch.compile(vit) if a.compile else vit

milliseconds = []
with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=a.dtype == "bf16"):
    network(images)
    network(images)
    for _ in range(a.runs):
        start = time.perf_counter()
        features = network(images)
        milliseconds.append((time.perf_counter() - start) * 1e3)
median = sorted(milliseconds)[len(milliseconds) // 2]
print(f"PyTorch {torch.__version__} vit_{a.model} {a.dtype}{' compiled' if a.compile else ''} batch {a.batch}: "
      f"median {median:.2f} ms, {1e3 * a.batch / median:.1f} images/s")
if a.state:
    first = features[0].double()
    print("features " + " ".join(f"{x:.6g}" for x in first[:4].tolist()) + f", norm {first.norm().item():.6g}")
