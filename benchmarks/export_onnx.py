"""Writes the oracle's ViT (16-pixel patches, 224-pixel images) as an ONNX model, and its weights as a state file.

    export_onnx.py tiny|small|base ONNX_FILE STATE_FILE [--images 32]

The model maps `images` [batch, 3, 224, 224] to `features` [batch, width], the class token after the final norm, for any
batch. The state file, which benchmark_inference and inference_time.py read, also holds random `images`, the same in
every run. Runs on Debian's python3-torch, 1.13 and 2.6, without Python's onnx.
"""
import argparse
import os
import sys
import warnings

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
import sdssl_reference as ref
import state_file

try:  # PyTorch 2 looks for Python's onnx, only to add functions to the model; ours has none to add
    from torch.onnx._internal import onnx_proto_utils
    onnx_proto_utils._add_onnxscript_fn = lambda model, functions: model
except ImportError:
    pass

# name: width, heads
SIZES = dict(tiny=(192, 3), small=(384, 6), base=(768, 12))


def make_vit(name):
    width, heads = SIZES[name]
    return ref.ViT(224, 16, width, 12, heads)


class AnyBatch(torch.nn.Module):
    """ViT.forward with x.shape[0] for len(x): the exporter would write len(x) down as a constant."""

    def __init__(self, vit):
        super().__init__()
        self.vit = vit

    def forward(self, x):
        tokens = self.vit.patch_embed(x)
        tokens = torch.cat([self.vit.cls_token.expand(x.shape[0], -1, -1), tokens], 1) + self.vit.pos_embed
        for block in self.vit.blocks:
            tokens = block(tokens)
        return self.vit.norm(tokens)[:, 0]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model", choices=SIZES)
    p.add_argument("onnx")
    p.add_argument("state")
    p.add_argument("--images", type=int, default=32)
    a = p.parse_args()
    torch.manual_seed(0)
    vit = make_vit(a.model).eval()
    images = torch.randn(a.images, 3, 224, 224)
    state_file.save(a.state, {**state_file.named("", vit), "images": images})
    warnings.simplefilter("ignore", torch.jit.TracerWarning)  # about the constants 3 and heads, which are meant
    with torch.no_grad():  # version 17 is the first with LayerNorm as one operation
        torch.onnx.export(AnyBatch(vit), images[:2], a.onnx, opset_version=17, input_names=["images"],
                          output_names=["features"], dynamic_axes=dict(images={0: "batch"}, features={0: "batch"}))


if __name__ == "__main__":
    main()
