#!/bin/bash
# Exact nearest neighbours in Vitral and in scikit-learn's brute force, on the same threads and numbers.
#   bash benchmarks/against_sklearn.sh
# PYTHON names the Python that has scikit-learn; the default is the system's.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/common.sh
python=${PYTHON:-/usr/bin/python3}
$python -c 'import sklearn' || {
  echo "$python has no scikit-learn: apt-get install python3-sklearn libopenblas0-openmp (Debian), or set PYTHON." >&2
  exit 1
}
build benchmark_knn
results=$(mktemp)
trap 'rm -f "$results"' EXIT
build/release/bin/benchmark_knn | tee "$results"
$python benchmarks/knn_time.py | tee -a "$results"
seconds() { sed -n "s/^$1: \([.0-9]*\) s.*/\1/p" "$results" | sort -g | head -1; }
for metric in cosine euclidean; do
  awk -v a="$(seconds "scikit-learn k-NN, $metric")" -v b="$(seconds "vitral k-NN")" -v metric=$metric \
    'BEGIN { printf "time, scikit-learn (%s) / Vitral: %.2f\n", metric, a / b }'
done
