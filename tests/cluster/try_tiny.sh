#!/usr/bin/env bash
# The study `tiny`, rows spoken in two parts, on this machine and on Slurm, where a training is cancelled half-way; tables
# must be equal to the byte.
#   tests/cluster/try_tiny.sh FOLDER
# By hand, as root, with the tools of .venv/bin and the package snakemake-executor-plugin-slurm; what an earlier run
# made in FOLDER is kept.
set -euo pipefail
repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
folder=$(realpath -m "${1:?a folder}")
mkdir -p "$folder"
for place in local cluster; do
    [ -d "$folder/$place" ] && continue
    git clone -q "$repository" "$folder/$place"
    # Long enough to be cancelled in its middle.
    sed -i "s/recipe_defaults: {steps: 2,/recipe_defaults: {steps: 24,/" "$folder/$place/config/tiny.yaml"
    # The first en_en is the task; its rows are spoken by two jobs each.
    sed -i "0,/^  en_en:$/s//  en_en:\n    parts: 2/" "$folder/$place/config/tiny.yaml"
done

cd "$folder/local"
PYTHONPATH=$PWD:${PYTHONPATH:-} snakemake --cores 2 --configfile config/tiny.yaml >"$folder/local.log" 2>&1
echo "tiny ran here"

source "$repository/tests/cluster/start_slurm.sh" "$folder/slurm"
trap stop_slurm EXIT
cd "$folder/cluster"
# A status command that needs no accounting; short waits, because this file system shows new files at once.
PYTHONPATH=$PWD:${PYTHONPATH:-} snakemake --configfile config/tiny.yaml --workflow-profile workflow/profiles/slurm \
    --slurm-status-command squeue --latency-wait 5 --default-resources mem_mb=2000 runtime=60 \
    >"$folder/cluster.log" 2>&1 &
workflow=$!
cancelled=no
while kill -0 $workflow 2>/dev/null; do
    training=$(squeue --noheader --states=RUNNING --format='%i %k' | awk '/train/ {print $1; exit}')
    if [ $cancelled = no ] && [ -n "$training" ] && compgen -G "results/tiny/models/*/state/*.ckpt" >/dev/null; then
        scancel "$training" && cancelled=yes && echo "cancelled training job $training after its first checkpoint"
    fi
    sleep 0.5
done
wait $workflow || { tail -40 "$folder/cluster.log"; exit 1; }
echo "tiny ran on Slurm, training cancelled: $cancelled"
diff -r "$folder/local/results/tiny/tables" "$folder/cluster/results/tiny/tables" && echo "all tables are equal"
[ $cancelled = yes ]
