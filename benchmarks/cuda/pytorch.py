"""Steps of SD-MoCo v3 and attention in PyTorch on a GPU, as step.cu and attention.cu time them in Vitral.

    pytorch.py product                      a bf16 product of 8192 x 8192 matrices: the rate to hold others against
    pytorch.py step ViT-S/16 128 4 eager    model, batch, steps of each timed loop, "eager" or a mode of torch.compile
    pytorch.py attention flash 32768 10     or cuDNN; tokens of all images together, runs of each timed loop

Prints lines of JSON. The networks are the oracle's (tests/golden) under autocast, and they are spared what Vitral is
spared: both views go through the encoder as one batch, the last block works for the class token alone, the predictors
run once. Needs PyTorch 2.5 or newer; exit status 77 says that there is none, or no GPU.
"""
import json
import os
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print(f"{sys.executable} has no PyTorch: install PyTorch 2 or name another Python.", file=sys.stderr)
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden"))
import sdssl_reference as ref

MODELS = {  # image, patch, width, depth, heads; hidden units
    "ViT-Ti/4": ((32, 4, 192, 12, 3), 1024),
    "ViT-S/16": ((224, 16, 384, 12, 6), 4096),
    "ViT-S/16, heads of 32": ((224, 16, 384, 12, 12), 4096),
    "ViT-B/16": ((224, 16, 768, 12, 12), 4096),
}
OUT, RATIO, TEMPERATURE, MOMENTUM = 256, 1.0, 0.2, 0.996


def attend(layer, x):
    b, n, d = x.shape
    q, k, v = layer.qkv(x).view(b, n, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    return layer.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))


def attend_first(layer, x):
    """What the first token alone receives."""
    b, n, d = x.shape
    weight, bias = layer.qkv.weight, layer.qkv.bias
    q = F.linear(x[:, :1], weight[:d], bias[:d]).view(b, 1, layer.heads, -1).transpose(1, 2)
    k, v = F.linear(x, weight[d:], bias[d:]).view(b, n, 2, layer.heads, -1).permute(2, 0, 3, 1, 4)
    return layer.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, 1, d))


def class_tokens(vit, images):
    """The class token after every block, through the final norm: a list of [batch, width]."""
    x = vit.patch_embed(images)
    x = torch.cat([vit.cls_token.expand(len(x), -1, -1), x], 1) + vit.pos_embed
    out = []
    for block in vit.blocks[:-1]:
        x = x + attend(block.attn, block.norm1(x))
        x = x + block.mlp(block.norm2(x))
        out.append(vit.norm(x[:, 0]))
    block = vit.blocks[-1]
    h = x[:, :1] + attend_first(block.attn, block.norm1(x))
    return out + [vit.norm(h + block.mlp(block.norm2(h)))[:, 0]]


def through(head, x):
    """Both views through a head, whose BatchNorm sees them apart."""
    for layer in head:
        x = torch.cat([layer(view) for view in x.chunk(2)]) if isinstance(layer, torch.nn.BatchNorm1d) else layer(x)
    return x


def info_nce(queries, keys, weights):
    """Weighted sum over layers of MoCo v3's loss: queries [layers, batch, OUT], keys [batch, OUT], weights [layers]."""
    logits = F.normalize(queries, dim=2) @ F.normalize(keys, dim=1).T / TEMPERATURE
    targets = torch.arange(len(keys), device=keys.device).repeat(len(queries))
    losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
    return 2 * TEMPERATURE * (weights * losses.view(len(queries), -1).mean(1)).sum()


def make_loss(student, teacher, view1, view2, encode=class_tokens, run_head=through, criterion=info_nce):
    """The loss as a function. A predictor's two passes, on z and on z without its gradient, have the same values: one
    pass weighs a + 1, and the part a of its gradient flows on into z."""
    layers = len(student.projector)
    parts = [RATIO / (layers - 1)] * (layers - 1) + [1.0]
    weights = torch.tensor([a + 1 for a in parts], device=view1.device)

    def loss():
        with torch.no_grad():
            t1, t2 = run_head(teacher.projector[-1], encode(teacher.encoder, torch.cat([view1, view2]))[-1]).chunk(2)
        predictions = []
        tokens = encode(student.encoder, torch.cat([view2, view1]))
        for token, projector, predictor, a in zip(tokens, student.projector, student.predictor, parts):
            z = run_head(projector, token)
            predictions.append(run_head(predictor, torch.lerp(z.detach(), z, a / (a + 1))))
        of_view2, of_view1 = torch.stack(predictions).chunk(2, dim=1)
        return criterion(of_view2, t1, weights) + criterion(of_view1, t2, weights)

    return loss


def step_tflop(model, batch):
    """Of the matrix products in networks, two for each multiply-add; the criterion's, below a percent, are left out."""
    (image, patch, width, depth, _), hidden = MODELS[model]
    tokens = (image // patch) ** 2 + 1
    embedding = (tokens - 1) * 2 * 3 * patch * patch * width  # frozen
    blocks = (depth - 1) * tokens * (24 * width + 4 * tokens) * width
    blocks += tokens * (4 * width + 4) * width + 20 * width * width  # the last one, for the class token
    lower, last = (2 * (width * h + h * h + h * OUT) for h in (hidden // 2, hidden))  # projectors
    heads = (depth - 1) * lower + last + depth * 4 * OUT * hidden
    return 2 * batch * (2 * embedding + 4 * blocks + 3 * heads + last) / 1e12  # backward costs twice the forward


def report(work, program, ms, **more):
    print(json.dumps(dict(work=work, program=program, ms=round(ms, 4), **more)), flush=True)


def milliseconds(steps, run):
    """Of one run: the median of five loops of `steps` runs each, after three that are not timed."""
    for _ in range(3):
        run()
    loops = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            run()
        torch.cuda.synchronize()
        loops.append((time.perf_counter() - start) * 1e3 / steps)
    return sorted(loops)[2]


def time_product():
    a, b = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    report("bf16 product", "PyTorch", milliseconds(10, lambda: a @ b), tflop=2 * 8192**3 / 1e12,
           card=torch.cuda.get_device_name(), version=torch.__version__)


def time_steps(model, batch, steps, mode):
    """Whole steps as they are, and replayed as one CUDA graph."""
    size, hidden = MODELS[model]
    student = ref.Branch(ref.ViT(*size), hidden, OUT, True, True).cuda()
    teacher = ref.make_teacher(student, hidden, OUT, True).cuda()
    view1, view2 = torch.randn(2, batch, 3, size[0], size[0], device="cuda")
    trained = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([dict(params=[p for p in trained if p.ndim > 1]),
                                   dict(params=[p for p in trained if p.ndim <= 1], weight_decay=0.0)],
                                  lr=1e-4, weight_decay=0.1, fused=True, capturable=True)
    averages = [*teacher.encoder.parameters(), *teacher.projector[-1].parameters()]
    sources = [*student.encoder.parameters(), *student.projector[-1].parameters()]
    name, parts = "PyTorch eager", [class_tokens, through, info_nce]
    if mode != "eager":
        name = f"PyTorch compiled ({mode})"
        parts = [torch.compile(part, mode=mode, dynamic=False) for part in parts]
    loss_of = make_loss(student, teacher, view1, view2, *parts)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_of()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, sources, 1 - MOMENTUM)
        return loss.detach()

    def finish(program, ms, loss):
        if not loss.isfinite():
            sys.exit("The loss is not finite, so the times say nothing.")
        report(f"{model}, batch {batch}", program, ms, mib=torch.cuda.max_memory_allocated() >> 20,
               loss=round(loss.item(), 4), tflop=step_tflop(model, batch))

    step()
    torch.cuda.reset_peak_memory_stats()  # what compilation needed does not count
    finish(name, milliseconds(steps, step), step())
    torch.cuda.reset_peak_memory_stats()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        loss = step()
    finish(f"{name}, CUDA graph", milliseconds(steps, graph.replay), loss)


def time_attention(name, tokens_of_all, steps):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    backend = dict(flash=SDPBackend.FLASH_ATTENTION, cuDNN=SDPBackend.CUDNN_ATTENTION)[name]
    width = 768
    for channels, tokens in ((c, t) for c in (64, 32) for t in (65, 197, 577)):
        batch = tokens_of_all // tokens
        packed = torch.randn(batch, tokens, 3, width // channels, channels, device="cuda", dtype=torch.bfloat16)
        q, k, v = (x.detach().requires_grad_() for x in packed.permute(2, 0, 3, 1, 4))
        upstream = torch.randn_like(packed[:, :, 0]).transpose(1, 2)

        def forward():
            return F.scaled_dot_product_attention(q, k, v)

        def forward_and_backward():
            torch.autograd.grad(forward(), (q, k, v), upstream)

        for run, products in (torch.no_grad()(forward), 2), (forward_and_backward, 6):
            with sdpa_kernel(backend):
                ms = milliseconds(steps, run)
            report(f"attention {run.__name__.replace('_', ' ')}, {batch} x {tokens} tokens, heads of {channels}",
                   f"PyTorch {name}", ms, tflop=products * 2 * batch * width * tokens**2 / 1e12)


def main(task, *arguments):
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} finds no GPU.", file=sys.stderr)
        sys.exit(77)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    torch.cuda.set_stream(torch.cuda.Stream())  # a graph is captured where the steps before it ran
    try:
        run = dict(product=time_product, step=time_steps, attention=time_attention)[task]
        run(*(int(a) if a.isdigit() else a for a in arguments))
    except torch.cuda.OutOfMemoryError:
        sys.exit("PyTorch: out of memory")


if __name__ == "__main__":
    main(*sys.argv[1:])
