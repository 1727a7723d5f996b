"""Networks and images in a safetensors file, so that a program and its PyTorch counterpart start from the same numbers.

The format is u64 header length, JSON header, raw little-endian data; here every tensor is F32.
"""
import json
import struct

import torch


def save(path, tensors):
    """tensors: name -> tensor. The oracle's golden files are F64; that would double the file for nothing."""
    header, offset = {}, 0
    for name, t in tensors.items():
        header[name] = dict(dtype="F32", shape=list(t.shape), data_offsets=[offset, offset + 4 * t.numel()])
        offset += 4 * t.numel()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(t.detach().float().contiguous().numpy().tobytes())


def load(path):
    """-> (name, tensor) of every tensor, read one at a time: the whole file is never in memory."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        for name, entry in header.items():  # in the order of the data
            begin, end = entry["data_offsets"]
            yield name, torch.frombuffer(bytearray(f.read(end - begin)), dtype=torch.float32).view(entry["shape"])


def named(prefix, module):
    """The tensors of a module as Vitral names them: BatchNorm's batch counters, which are integers, are not stored."""
    return {f"{prefix}{k}": v for k, v in module.state_dict().items() if v.is_floating_point()}
