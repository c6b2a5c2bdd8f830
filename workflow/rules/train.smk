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
        mem_mb=memory_of_recipe,
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


# A model that somebody else trained: its checkpoint, its names turned into ours.
rule import_checkpoint:
    input:
        recipe="results/{study}/recipes/{recipe}.json",
        features=settings_of_seen_features,
        weights=weights_of_import,
    output:
        model="results/{study}/models/{recipe}/model.safetensors",
        metadata="results/{study}/models/{recipe}/metadata.json",
    log:
        "results/{study}/logs/import_checkpoint/{recipe}.log",
    wildcard_constraints:
        recipe=one_of(recipes_made_by("import_checkpoint")),
    conda:
        "../../environment.yml"
    threads: threads_of("features")
    resources:
        mem_mb=memory(6000),
        attempt=attempt_number,
    params:
        code=code_of_import,
        env=thread_environment("features"),
        folder=subpath(output.model, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice import-checkpoint --recipe {input.recipe} --features {input.features}"
        " --out {params.folder} > {log} 2>&1"
