# Clips of another split, made worse on purpose: prepared like any recordings, to see what a front-end loses.
rule perturb_clips:
    input:
        manifest=manifest_of_perturbed,
        prepared=prepared_of_perturbed,
        settings="results/{study}/settings/perturbed/{dataset}/{split}.json",
    output:
        clips="results/{study}/corpus/{dataset}/{split}/shard-{shard}/clips.csv",
        phones="results/{study}/corpus/{dataset}/{split}/shard-{shard}/phones.jsonl",
        media=directory("results/{study}/corpus/{dataset}/{split}/shard-{shard}/clips"),
    log:
        "results/{study}/logs/perturb_clips/{dataset}/{split}/shard-{shard}.log",
    wildcard_constraints:
        split=one_of(splits_made_by("perturb_clips")),
    conda:
        "../../environment.yml"
    threads: threads_of("prepare")
    resources:
        mem_mb=memory(2000),
        attempt=attempt_number,
    params:
        code=code_digest("syncvoice.commands.perturb"),
        env=thread_environment("prepare"),
        folder=subpath(output.clips, parent=True),
    shell:
        "{params.env} SYNCVOICE_TRY={resources.attempt}:{log}"
        " syncvoice perturb --settings {input.settings} --manifest {input.manifest}"
        " --shard {wildcards.shard} --out {params.folder} > {log} 2>&1"


# Speech of a clip whose face is lost does not exist: how many there are stands in a table of its own.
rule count_faces_lost:
    input:
        files_of_faces_lost,
    output:
        csv=report(
            "results/{study}/tables/faces_lost.csv",
            caption="../report/faces_lost.rst",
            category="Tables",
            labels={"table": "faces lost"},
        ),
        markdown="results/{study}/tables/faces_lost.md",
    log:
        "results/{study}/logs/count_faces_lost.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.faces_lost"),
        env=thread_environment("report"),
        study_root=subpath(output.csv, ancestor=2),
    shell:
        "{params.env} syncvoice faces-lost --study-root {params.study_root} --out {output.csv} > {log} 2>&1"
