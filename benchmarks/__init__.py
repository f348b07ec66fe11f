"""Speed, as ratios in one run. `python -m benchmarks [NAME …]` prints figures and writes benchmarks/results.json."""
