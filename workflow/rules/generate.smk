# Speech of a row, in one job or in parts, and the dubbed videos for people.
localrules:
    join_parts,


rule generate:
    input:
        settings="results/{study}/settings/experiments/{experiment}.json",
        task="results/{study}/tasks/{task}.csv",
        manifest=manifest_of_task,
        references=references_of_task,
        features=features_of_experiment,
        model=model_of_experiment,
        candidates=candidates_of_experiment,
        treated_references=treated_references_of_experiment,
        weights=weights_of_experiment,
    output:
        speech=directory("results/{study}/speech/{experiment}/{task}"),
    log:
        "results/{study}/logs/generate/{experiment}/{task}.log",
    benchmark:
        "results/{study}/benchmarks/generate/{experiment}/{task}.tsv"
    wildcard_constraints:
        task=one_of(tasks_in_parts(False)),
    priority: 10  # before scoring, which waits for nothing but speech
    conda:
        "../../environment.yml"
    threads: threads_of("generate")
    resources:
        mem_mb=memory(4000),
        attempt=attempt_number,
        gpu=cards_of_experiment,
    params:
        code=code_of_experiment,
        env=environment("generate", cards_of_experiment),
        kind=kind_of_experiment,
        features_root=features_root_of_task,
        part=part_of_task,
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice generate {params.kind} --experiment-settings {input.settings}"
        " --task {input.task} --manifest {input.manifest} --features-root {params.features_root}"
        " --out {output.speech} {params.part} > {log} 2>&1"


use rule generate as generate_part with:
    output:
        speech=temp(directory("results/{study}/parts/{experiment}/{task}/{part}")),
    log:
        "results/{study}/logs/generate/{experiment}/{task}/{part}.log",
    benchmark:
        "results/{study}/benchmarks/generate/{experiment}/{task}/{part}.tsv"
    wildcard_constraints:
        task=one_of(tasks_in_parts(True)),
        part=r"\d+",


rule join_parts:
    input:
        parts_of_task,
    output:
        speech=directory("results/{study}/speech/{experiment}/{task}"),
    log:
        "results/{study}/logs/join_parts/{experiment}/{task}.log",
    wildcard_constraints:
        task=one_of(tasks_in_parts(True)),
    conda:
        "../../environment.yml"
    params:
        code=code_digest("syncvoice.commands.join_parts"),
    shell:
        "syncvoice join-parts --parts {input} --out {output.speech} > {log} 2>&1"


rule mux:
    input:
        task="results/{study}/tasks/{task}.csv",
        speech="results/{study}/speech/{experiment}/{task}",
        manifest=manifest_of_task,
    output:
        videos=directory("results/{study}/videos/{experiment}/{task}"),
    log:
        "results/{study}/logs/mux/{experiment}/{task}.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        code=code_digest("syncvoice.commands.mux"),
        env=thread_environment("report"),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice mux --task {input.task} --speech {input.speech} --manifest {input.manifest}"
        " --out {output.videos} > {log} 2>&1"
