# Cached features, one file per shard, and the lists of utterances to dub.
localrules:
    list_utterances,


rule compute_feature:
    input:
        manifest="results/{study}/manifests/{dataset}/{split}/shard-{shard}.cuts.jsonl.gz",
        audio="results/{study}/prepared/{dataset}/{split}/shard-{shard}/audio",
        tracks="results/{study}/prepared/{dataset}/{split}/shard-{shard}/tracks.h5",
        weights=weights_of_feature,
        settings="results/{study}/settings/features/{feature}.json",
    output:
        "results/{study}/features/{dataset}/{split}/{feature}/shard-{shard}.h5",
    log:
        "results/{study}/logs/compute_feature/{dataset}/{split}/{feature}/shard-{shard}.log",
    conda:
        "../../environment.yml"
    threads: threads_of("features")
    resources:
        mem_mb=memory_of_feature,
        attempt=attempt_number,
        gpu=cards_of_feature,
    params:
        code=code_of_feature,
        env=environment("features", cards_of_feature),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice features --settings {input.settings} --manifest {input.manifest}"
        " --out {output} > {log} 2>&1"


rule list_utterances:
    input:
        manifest=manifest_of_task,
        references=references_of_task,
        settings="results/{study}/settings/tasks/{task}.json",
    output:
        "results/{study}/tasks/{task}.csv",
    log:
        "results/{study}/logs/list_utterances/{task}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("syncvoice.commands.tasks"),
    shell:
        "syncvoice tasks --settings {input.settings} --manifest {input.manifest}"
        " --references {input.references} --out {output} > {log} 2>&1"
