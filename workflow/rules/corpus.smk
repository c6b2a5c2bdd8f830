localrules:
    write_data_card,


# The embedded corpus: a shard of synthetic talking heads.
rule make_corpus:
    input:
        settings="results/{study}/settings/corpus/{dataset}/{split}.json",
        speech=speech_of_corpus,
    output:
        clips="results/{study}/corpus/{dataset}/{split}/shard-{shard}/clips.csv",
        phones="results/{study}/corpus/{dataset}/{split}/shard-{shard}/phones.jsonl",
        media=directory("results/{study}/corpus/{dataset}/{split}/shard-{shard}/clips"),
    log:
        "results/{study}/logs/make_corpus/{dataset}/{split}/shard-{shard}.log",
    benchmark:
        "results/{study}/benchmarks/make_corpus/{dataset}/{split}/shard-{shard}.tsv"
    wildcard_constraints:
        split=one_of(splits_made_by("make_corpus")),
    conda:
        "../../environment.yml"
    threads: threads_of("corpus")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        code=code_of_corpus,
        env=thread_environment("corpus"),
        folder=subpath(output.clips, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice corpus --settings {input.settings} --split {wildcards.split}"
        " --shard {wildcards.shard} --out {params.folder} > {log} 2>&1"


rule write_data_card:
    input:
        settings="results/{study}/settings/corpus/{dataset}.json",
    output:
        "results/{study}/corpus/{dataset}/DATA_CARD.md",
    log:
        "results/{study}/logs/write_data_card/{dataset}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_of_corpus,
    shell:
        "syncvoice corpus --settings {input.settings} --card {output} > {log} 2>&1"
