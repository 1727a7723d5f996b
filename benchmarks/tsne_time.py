"""Seconds that scikit-learn's t-SNE takes for the work of benchmark_tsne.cpp."""
import argparse
import os
import time

import numpy as np
from sklearn.manifold import TSNE, _t_sne
from sklearn.neighbors import NearestNeighbors

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--images", type=int, default=5000)
options = parser.parse_args()
files = [os.path.join(options.data, f"data_batch_{i}.bin") for i in range(1, 1 + (options.images + 9999) // 10000)]
records = np.concatenate([np.fromfile(file, np.uint8) for file in files]).reshape(-1, 3073)[:options.images, 1:]
sums = records.reshape(-1, 3, 8, 4, 8, 4).sum((3, 5), dtype=np.int32)
x = sums.reshape(len(sums), -1).astype(np.float32) / np.float32(16 * 255)
begin = time.perf_counter()
points = TSNE(init="pca", n_jobs=-1, random_state=0).fit_transform(x)
seconds = time.perf_counter() - begin
# The divergence without Barnes and Hut's approximation: an angle of 0.
graph = NearestNeighbors(n_neighbors=91, n_jobs=-1).fit(x).kneighbors_graph(mode="distance")
graph.data **= 2
p = _t_sne._joint_probabilities_nn(graph, 30, 0)
exact, _ = _t_sne._kl_divergence_bh(points.ravel(), p, 1, len(x), 2, angle=0)
print(f"scikit-learn t-SNE: {seconds:.2f} s, {len(x)} images, KL divergence {exact:.4f}", flush=True)
