# Makes the start weights and scorers from nothing (`make pretrain`); no part of `all`, which uses the files in weights/.
# The results lie in results/pretrain/; copying them to weights/ is a decision, not a job.
# Speech by natural voices. The mark is its output, not the shards, so that a run that was stopped keeps what it spoke.
rule speak_pool:
    input:
        f"{ASSET_FOLDER}/kokoro_int8",
    output:
        touch("results/pretrain/pool_{kind}.spoken"),
    log:
        "results/pretrain/logs/speak_pool_{kind}.log",
    wildcard_constraints:
        kind=one_of(POOLS.values()),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        env=thread_environment("pretrain"),
        folder=lambda wildcards, output: Path(output[0]).with_suffix(""),
        options=options_of_speaking,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice speak-pool --out {params.folder} {params.options} > {log} 2>&1"


rule pretrain_network:
    input:
        settings="config/pretrain/{network}.yaml",
        pool=pool_of_pretraining,
        start=start_of_pretraining,
    output:
        "results/pretrain/{network}.safetensors",
    log:
        "results/pretrain/logs/{network}.log",
    benchmark:
        "results/pretrain/benchmarks/{network}.tsv"
    wildcard_constraints:
        network=one_of(NETWORKS),
    conda:
        "../../environment.yml"
    threads: threads_of("pretrain")
    resources:
        mem_mb=memory(6000),
        attempt=attempt_number,
    params:
        code=code_of_pretraining,
        env=thread_environment("pretrain"),
        options=options_of_pretraining,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice pretrain {wildcards.network} --settings {input.settings} --out {output}"
        " {params.options} > {log} 2>&1"


rule pretrain:
    input:
        expand("results/pretrain/{network}.safetensors", network=NETWORKS),
