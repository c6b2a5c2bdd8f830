# The lips of a clip, embedded once for all rows whose sound a SyncNet compares with them.
rule embed_lips:
    input:
        manifest="results/{study}/manifests/{dataset}/{split}/shard-{shard}.cuts.jsonl.gz",
        videos="results/{study}/prepared/{dataset}/{split}/shard-{shard}/videos",
        weights=weights_of_scorer,
    output:
        "results/{study}/lips/{dataset}/{split}/{metric}/shard-{shard}.h5",
    log:
        "results/{study}/logs/embed_lips/{dataset}/{split}/{metric}/shard-{shard}.log",
    benchmark:
        "results/{study}/benchmarks/embed_lips/{dataset}/{split}/{metric}/shard-{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: threads_of("score")
    resources:
        mem_mb=memory(3000),
        attempt=attempt_number,
        gpu=cards_of_scorer,
    params:
        code=code_of_lips,
        env=environment("score", cards_of_scorer),
        scorer=scorer_of_metric,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice embed-lips --scorer {params.scorer} --manifest {input.manifest} --out {output} > {log} 2>&1"


# One scoring job per row, task and scorer; a sweep is one row.
rule score:
    input:
        task="results/{study}/tasks/{task}.csv",
        speech="results/{study}/speech/{experiment}/{task}",
        manifest=manifest_of_task,
        references=references_of_task,
        seen=seen_by_scorer,
        weights=weights_of_scorer,
    output:
        "results/{study}/metrics/{experiment}/{task}/{metric}.csv",
    log:
        "results/{study}/logs/score/{experiment}/{task}/{metric}.log",
    benchmark:
        "results/{study}/benchmarks/score/{experiment}/{task}/{metric}.tsv"
    conda:
        "../../environment.yml"
    threads: threads_of("score")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
        gpu=cards_of_scorer,
    params:
        code=code_of_scorer,
        env=environment("score", cards_of_scorer),
        scorer=scorer_of_metric,
        networks=adapted_scorers,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice score-task --scorer {params.scorer} --task {input.task} --speech {input.speech}"
        " --manifest {input.manifest} --references {input.references} --seen {input.seen} {params.networks}"
        " --out {output} > {log} 2>&1"


# A small SyncNet may score a table only if it passes its own check on recorded speech; the figures stand under the table.
rule check_syncnet:
    input:
        manifests=ground_truth_manifests,
        weights=STUDY.network_file("syncnet"),
        metadata=str(Path(STUDY.network_file("syncnet")).with_suffix(".json")),
    output:
        "results/{study}/metrics/syncnet_check.json",
    log:
        "results/{study}/logs/check_syncnet.log",
    conda:
        "../../environment.yml"
    threads: threads_of("score")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        code=code_digest("syncvoice.commands.check_syncnet"),
        env=thread_environment("score"),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice check-syncnet --manifest {input.manifests} --weights {input.weights}"
        " --out {output} > {log} 2>&1"
