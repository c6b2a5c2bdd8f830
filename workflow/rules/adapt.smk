# Shipped networks that learn on, on the training clips of the study: vocoder, lip-sync scorer, recogniser. No other clip
# is an input. The study then uses them in the place of the shipped ones.
rule adapt_network:
    input:
        settings="results/{study}/settings/adapt/{network}.json",
        manifest=manifest_of_adaptation,
        weights=weights_of_adaptation,
    output:
        weights="results/{study}/networks/{network}.safetensors",
        metadata="results/{study}/networks/{network}.json",
        curve="results/{study}/networks/{network}.csv",
    log:
        "results/{study}/logs/adapt_network/{network}.log",
    benchmark:
        "results/{study}/benchmarks/adapt_network/{network}.tsv"
    wildcard_constraints:
        network=one_of(STUDY.adapt),
    conda:
        "../../environment.yml"
    threads: threads_of("train")
    resources:
        mem_mb=memory(6000),
        attempt=attempt_number,
    params:
        code=code_of_pretraining,
        env=thread_environment("train"),
        start=start_of_adaptation,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice pretrain {wildcards.network} --settings {input.settings} --start {params.start}"
        " --out {output.weights} > {log} 2>&1"
