"""Prints what run.sh measured, table.py RESULTS.jsonl, as a table beside the rate of PyTorch's bf16 product."""
import json
import sys

rows = [json.loads(line) for line in open(sys.argv[1])]
product = rows.pop(0)
rate = product["tflop"] / product["ms"]
tflop = {row["work"]: row["tflop"] for row in rows if "tflop" in row}
vitral = {row["work"]: row["ms"] for row in rows if row["program"] == "Vitral"}
print(f"\n{product['card']}, PyTorch {product['version']}; bf16 products of 8192 x 8192: {rate * 1e3:.0f} TFLOP/s\n")
print("| work | program | ms | share of that rate | peak MiB | time / Vitral's |\n|---|---|---|---|---|---|")
for work in dict.fromkeys(row["work"] for row in rows):
    for row in (row for row in rows if row["work"] == work):
        share = f"{tflop[work] / row['ms'] / rate:.1%}" if work in tflop else ""
        ratio = f"{row['ms'] / vitral[work]:.2f}" if work in vitral else ""
        print(f"| {work} | {row['program']} | {row['ms']:.3f} | {share} | {row.get('mib', '')} | {ratio} |")
