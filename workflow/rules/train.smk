# One model per recipe. Rows that differ only in sampling share it.
rule train:
    input:
        recipe="results/{study}/recipes/{recipe}.json",
        manifest=manifest_of_recipe,
        features=features_of_recipe,
        weights=weights_of_recipe,
    output:
        model="results/{study}/models/{recipe}/model.safetensors",
        metadata="results/{study}/models/{recipe}/metadata.json",
        curve="results/{study}/models/{recipe}/curve.csv",
    log:
        "results/{study}/logs/train/{recipe}.log",
    benchmark:
        "results/{study}/benchmarks/train/{recipe}.tsv"
    wildcard_constraints:
        recipe=one_of(recipes_made_by("train")),
    priority: 20  # the longest jobs first: whatever waits for them can then fill all cores
    conda:
        "../../environment.yml"
    threads: threads_of("train")
    resources:
        mem_mb=memory(6000),
        attempt=attempt_number,
        gpu=cards_of_recipe,
    params:
        code=code_digest("syncvoice.commands.train"),
        env=environment("train", cards_of_recipe),
        features_root=features_root_of_recipe,
        # Checkpoints (state/) are no output: Snakemake deletes the outputs of a failed job.
        folder=subpath(output.model, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice train --recipe {input.recipe} --manifest {input.manifest}"
        " --features-root {params.features_root} --out {params.folder} > {log} 2>&1"
