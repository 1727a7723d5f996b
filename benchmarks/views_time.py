"""Makes MoCo v3's two views of images with torchvision on PIL images, in one thread, for some seconds.

--data is a folder of images, or with --dataset cifar10 that of CIFAR-10's binary version."""
import argparse
import os
import random
import time

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms as T

a = argparse.ArgumentParser()
a.add_argument("--dataset", default="images")
a.add_argument("--data", required=True)
a.add_argument("--image", type=int, default=224)
a.add_argument("--seconds", type=float, default=5)
a = a.parse_args()
torch.set_num_threads(1)


class Blur:
    """As the published recipes have it."""

    def __call__(self, x):
        return x.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


class Solarize:
    def __call__(self, x):
        return ImageOps.solarize(x)


def view(blur, solarize):
    return T.Compose([
        T.RandomResizedCrop(a.image, scale=(0.08, 1.0)),
        T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
        T.RandomGrayscale(p=0.2),
        T.RandomApply([Blur()], p=blur),
        *([T.RandomApply([Solarize()], p=solarize)] if solarize else []),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])


if a.dataset == "cifar10":
    records = np.fromfile(os.path.join(a.data, "data_batch_1.bin"), np.uint8).reshape(-1, 3073)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy()
    size, read = len(pixels), lambda i: Image.fromarray(pixels[i])
else:
    files = sorted(os.path.join(a.data, f) for f in os.listdir(a.data))

    def read(i):
        with open(files[i], "rb") as f:
            return Image.open(f).convert("RGB")

    size = len(files)
first, second = view(1.0, 0.0), view(0.1, 0.2)
count, begin = 0, time.perf_counter()
while time.perf_counter() - begin < a.seconds:
    x = read(count % size)
    first(x), second(x)
    count += 1
print(f"torchvision {a.dataset} {a.image} px: {count / (time.perf_counter() - begin):.1f} images/s")
