# Settings reach a job as a small file that depends on its settings alone: a change in one section of the study reruns
# only the jobs that read it, and the file is the record of what was asked for.
localrules:
    write_settings,
    resolve_recipe,


rule write_settings:
    output:
        "results/{study}/settings/{section}.json",
    log:
        "results/{study}/logs/write_settings/{section}.log",
    conda:
        "../../environment.yml"
    params:
        settings=stored_settings,
    shell:
        "cp {params.settings} {output} 2> {log}"


rule resolve_recipe:
    output:
        "results/{study}/recipes/{recipe}.json",
    log:
        "results/{study}/logs/resolve_recipe/{recipe}.log",
    conda:
        "../../environment.yml"
    params:
        settings=stored_recipe,
    shell:
        "cp {params.settings} {output} 2> {log}"
