#!/bin/bash
# Exact nearest neighbours and t-SNE in Vitral and in scikit-learn (its brute force, its Barnes-Hut), on the same
# threads and numbers.
#   bash benchmarks/against_sklearn.sh [CIFAR10_DIR]      default data/cifar-10-batches-bin; no t-SNE if missing
# ROUNDS=3 runs t-SNE more than once in turn, IMAGES=5000 chooses how many images. PYTHON names the Python that has
# scikit-learn; the default is the system's.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/common.sh
cifar=${1:-data/cifar-10-batches-bin}
python=${PYTHON:-/usr/bin/python3}
$python -c 'import sklearn' || {
  echo "$python has no scikit-learn: apt-get install python3-sklearn libopenblas0-openmp (Debian), or set PYTHON." >&2
  exit 1
}
build benchmark_knn benchmark_tsne
results=$(mktemp)
trap 'rm -f "$results"' EXIT
build/release/bin/benchmark_knn | tee "$results"
$python benchmarks/knn_time.py | tee -a "$results"
seconds() { sed -n "s/^$1: \([.0-9]*\) s.*/\1/p" "$results"; }
for metric in cosine euclidean; do
  awk -v a="$(seconds "scikit-learn k-NN, $metric" | sort -g | head -1)" \
    -v b="$(seconds "vitral k-NN" | sort -g | head -1)" -v metric=$metric \
    'BEGIN { printf "time, scikit-learn (%s) / Vitral: %.2f\n", metric, a / b }'
done

if [ ! -e "$cifar/data_batch_1.bin" ]; then
  echo "$cifar: no data_batch_1.bin, so t-SNE is left out: bash examples/fetch_cifar10.sh $cifar" >&2
  exit 0
fi
for ((round = 1; round <= ${ROUNDS:-1}; ++round)); do
  build/release/bin/benchmark_tsne --data "$cifar" --images "${IMAGES:-5000}" | tee -a "$results"
  $python benchmarks/tsne_time.py --data "$cifar" --images "${IMAGES:-5000}" | tee -a "$results"
done
echo "time of t-SNE, scikit-learn / Vitral: $(paste <(seconds "scikit-learn t-SNE") <(seconds "vitral t-SNE") |
  awk '{ print $1 / $2 }' | median range)"
