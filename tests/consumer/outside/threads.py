# A network from its file serves two threads at once, with the bits that one thread computes.
from concurrent.futures import ThreadPoolExecutor

import torch
from timm.models.vision_transformer import VisionTransformer


# data
def noise(images):
    return torch.rand(images, 3, 16, 16)


# end of data
def make_encoder():
    return VisionTransformer(img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=0)


def features(images):
    with torch.inference_mode():
        return encoder(images)


torch.manual_seed(1)
torch.save(make_encoder().state_dict(), "threads.pt")
encoder = make_encoder().eval()
encoder.load_state_dict(torch.load("threads.pt", weights_only=True))
first, second = noise(256), noise(256)
alone = features(first), features(second)
with ThreadPoolExecutor(2) as pool:
    together = pool.map(features, [first, second])
same = all(torch.equal(one, other) for one, other in zip(together, alone))
print("threads: two threads at once give", "the same bits" if same else "other bits")
assert same and not torch.equal(*alone)
