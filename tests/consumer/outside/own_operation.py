# An operation of one's own, with its backward pass: squared distances to centres, which move to where the points are.
import torch


# data
# Points around (0, 0), (2, 0) and (4, 0).
def three_heaps(points):
    x = 0.1 * torch.randn(points, 2)
    x[:, 0] += 2 * (torch.arange(points) % 3)
    return x


# end of data
# x [n, d] and c [k, d] -> |x_i - c_j|^2 [n, k]
class SquaredDistances(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, c):
        ctx.save_for_backward(x, c)
        return x.square().sum(1, keepdim=True) - 2 * x @ c.T + c.square().sum(1)

    @staticmethod
    def backward(ctx, dy):
        x, c = ctx.saved_tensors
        dx = dc = None
        if ctx.needs_input_grad[0]:
            dx = 2 * (x * dy.sum(1, keepdim=True) - dy @ c)
        if ctx.needs_input_grad[1]:
            dc = 2 * (c * dy.sum(0)[:, None] - dy.T @ x)
        return dx, dc


distances = SquaredDistances.apply
a = torch.tensor([[1, 2, -1], [0, 3, 1]], dtype=torch.double, requires_grad=True)
b = torch.tensor([[0, 1, 1], [2, 2, -2]], dtype=torch.double, requires_grad=True)
torch.autograd.gradcheck(distances, (a, b))

torch.manual_seed(1)
points = three_heaps(300)
centres = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]], requires_grad=True)
optimizer = torch.optim.Adam([centres], lr=0.05)
for step in range(200):
    optimizer.zero_grad()
    loss = -torch.logsumexp(-distances(points, centres), dim=1).mean()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    apart = distances(points, centres).min(dim=1).values.mean().item()
print(f"own_operation: points {apart:.4f} from their centres")
assert apart < 0.05
