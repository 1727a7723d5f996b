"""Writes tensors to a safetensors file: u64 header length, JSON header, raw little-endian data.

Tensors of half precision are stored as F16, other floating-point ones as F64, bytes as U8, other integers as I32; equal
arguments give equal bytes.
"""
import json
import struct

import torch


def save(path, tensors, meta):
    """tensors: name -> tensor, written in this order; meta: name -> anything, stored as strings."""
    header, offset, data = {"__metadata__": {k: str(v) for k, v in meta.items()}}, 0, []
    for name, t in tensors.items():
        dtype, torch_dtype = (("F16", torch.float16) if t.dtype == torch.float16 else
                              ("F64", torch.float64) if t.is_floating_point() else
                              ("U8", torch.uint8) if t.dtype == torch.uint8 else ("I32", torch.int32))
        data.append(t.detach().to(torch_dtype).contiguous().numpy().tobytes())
        header[name] = dict(dtype=dtype, shape=list(t.shape), data_offsets=[offset, offset + len(data[-1])])
        offset += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.writelines(data)
