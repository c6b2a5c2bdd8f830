# From any clip to sound at 24 kHz, tracked faces and a Lhotse manifest; what does not fit is a row of excluded.csv.
localrules:
    merge_manifests,


rule prepare:
    input:
        unpack(corpus_shard),
        settings=prepare_settings,
    output:
        audio=directory("results/{study}/prepared/{dataset}/{split}/shard-{shard}/audio"),
        videos=directory("results/{study}/prepared/{dataset}/{split}/shard-{shard}/videos"),
        tracks="results/{study}/prepared/{dataset}/{split}/shard-{shard}/tracks.h5",
        manifest="results/{study}/manifests/{dataset}/{split}/shard-{shard}.cuts.jsonl.gz",
        excluded="results/{study}/manifests/{dataset}/{split}/shard-{shard}.excluded.csv",
    log:
        "results/{study}/logs/prepare/{dataset}/{split}/shard-{shard}.log",
    benchmark:
        "results/{study}/benchmarks/prepare/{dataset}/{split}/shard-{shard}.tsv"
    wildcard_constraints:
        split=one_of(prepared_splits()),
    conda:
        "../../environment.yml"
    threads: threads_of("prepare")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        code=code_digest("syncvoice.commands.prepare_shard"),
        env=thread_environment("prepare"),
        corpus=corpus_folder,
        shard=shard_options,
        folder=subpath(output.tracks, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice prepare-shard --corpus {params.corpus:q} --dataset {wildcards.dataset} {params.shard}"
        " --split {wildcards.split} --settings {input.settings} --out {params.folder}"
        " --manifest {output.manifest} --excluded {output.excluded} > {log} 2>&1"


# Reference recordings made shorter, longer, noisy or somebody else's; to features and rows they are one more split.
rule treat_references:
    input:
        source=source_of_treatment,
        prepared=prepared_source_of_treatment,
        settings="results/{study}/settings/treated_references/{split}.json",
    output:
        audio=directory("results/{study}/prepared/{dataset}/{split}/shard-{shard}/audio"),
        tracks="results/{study}/prepared/{dataset}/{split}/shard-{shard}/tracks.h5",
        manifest="results/{study}/manifests/{dataset}/{split}/shard-{shard}.cuts.jsonl.gz",
        excluded="results/{study}/manifests/{dataset}/{split}/shard-{shard}.excluded.csv",
    log:
        "results/{study}/logs/treat_references/{dataset}/{split}/shard-{shard}.log",
    wildcard_constraints:
        split=one_of(STUDY.treated_references),
    conda:
        "../../environment.yml"
    threads: threads_of("prepare")
    resources:
        mem_mb=memory(1000),
        attempt=attempt_number,
    params:
        code=code_digest("syncvoice.commands.treat_references"),
        env=thread_environment("prepare"),
        folder=subpath(output.tracks, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice treat-references --settings {input.settings} --source {input.source} --out {params.folder}"
        " --manifest {output.manifest} --excluded {output.excluded} > {log} 2>&1"


rule merge_manifests:
    input:
        manifests=manifests_of_split,
        excluded=excluded_of_split,
    output:
        manifest="results/{study}/manifests/{dataset}/{split}.cuts.jsonl.gz",
        excluded="results/{study}/manifests/{dataset}/{split}.excluded.csv",
    log:
        "results/{study}/logs/merge_manifests/{dataset}/{split}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("syncvoice.commands.merge_manifests"),
    shell:
        "syncvoice merge-manifests --inputs {input.manifests} --excluded-inputs {input.excluded}"
        " --out {output.manifest} --excluded {output.excluded} > {log} 2>&1"
