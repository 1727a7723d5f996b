# What the scripts of this folder share; sourced in the repository's root.

# build TARGET...
build() {
  cmake --preset release >/dev/null
  cmake --build --preset release --target "$@" | tail -1
}

# Median of the numbers on standard input, one a line; with "range", the smallest and largest as well.
median() {
  sort -g | awk -v range="${1:-}" '{ v[NR] = $1 }
    END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
          if (range) printf " (%.2f to %.2f)", v[1], v[NR] }'
}
