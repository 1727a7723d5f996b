"""Seconds that scikit-learn's brute force takes for the work of benchmark_knn.cpp."""
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors


def features(count, seed):
    width = 384
    multiplier, increment, numbers = 1664525, 1013904223, np.empty(count * width, np.uint64)
    # The generator in blocks: x_(i+n) = a^n x_i + c (a^n - 1) / (a - 1), modulo 2^32.
    block = np.empty(4096, np.uint64)
    for i in range(len(block)):
        seed = (seed * multiplier + increment) % 2**32
        block[i] = seed
    power, total = 1, 0
    for _ in range(len(block)):
        total = (total * multiplier + increment) % 2**32
        power = power * multiplier % 2**32
    for begin in range(0, len(numbers), len(block)):
        numbers[begin:begin + len(block)] = block[:len(numbers) - begin]
        block = (block * np.uint64(power) + np.uint64(total)) % np.uint64(2**32)
    x = ((numbers >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-23) - 1).reshape(count, width)
    return (x / np.sqrt((x.astype(np.float64) ** 2).sum(1, keepdims=True))).astype(np.float32)


train, test = features(50000, 1), features(10000, 2)
for metric in ("cosine", "euclidean"):  # of rows of unit length: the same neighbours
    neighbours = NearestNeighbors(n_neighbors=20, metric=metric, algorithm="brute", n_jobs=-1).fit(train)
    begin = time.perf_counter()
    place = neighbours.kneighbors(test, return_distance=False)
    print(f"scikit-learn k-NN, {metric}: {time.perf_counter() - begin:.3f} s, sum of places {place.sum()}", flush=True)
