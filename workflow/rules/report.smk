# What people read: tables, plots and a page that plays the rows side by side.
rule tabulate:
    input:
        settings="results/{study}/settings/tables/{table}.json",
        task=task_of_table,
        scores=scores_of_table,
        syncnet_check=check_of_table,
    output:
        csv=report(
            "results/{study}/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        directions="results/{study}/tables/{table}.directions.csv",
        markdown="results/{study}/tables/{table}.md",
        latex="results/{study}/tables/{table}.tex",
    log:
        "results/{study}/logs/tabulate/{table}.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.tabulate"),
        env=thread_environment("report"),
        tasks_root=subpath(input.task, parent=True),
        metrics_root="results/{study}/metrics",
        folder=subpath(output.csv, parent=True),
    shell:
        "{params.env} syncvoice tabulate --settings {input.settings} --tasks-root {params.tasks_root}"
        " --metrics-root {params.metrics_root} --out-dir {params.folder} > {log} 2>&1"


rule plot:
    input:
        inputs_of_plot,
        settings="results/{study}/settings/plots/{plot}.json",
    output:
        svg=report(
            "results/{study}/plots/{plot}.svg",
            caption="../report/plot.rst",
            category="Plots",
            labels={"plot": "{plot}"},
        ),
        pdf="results/{study}/plots/{plot}.pdf",
        png="results/{study}/plots/{plot}.png",
    log:
        "results/{study}/logs/plot/{plot}.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_of_plot,
        env=thread_environment("report"),
        study_root=subpath(output.svg, ancestor=2),
        folder=subpath(output.svg, parent=True),
    shell:
        "{params.env} syncvoice plot --settings {input.settings} --study-root {params.study_root}"
        " --out-dir {params.folder} > {log} 2>&1"


rule make_gallery:
    input:
        inputs_of_gallery,
        references=references_of_gallery,
        settings="results/{study}/settings/gallery.json",
    output:
        page=report(
            "results/{study}/gallery/index.html",
            caption="../report/gallery.rst",
            category="Gallery",
        ),
    log:
        "results/{study}/logs/make_gallery.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.gallery"),
        env=thread_environment("report"),
        study_root=subpath(output.page, ancestor=2),
    shell:
        "{params.env} syncvoice gallery --settings {input.settings} --study-root {params.study_root}"
        " --references {input.references} --out {output.page} > {log} 2>&1"


# How much of sound, mouth and phone the lip and face features tell: a check of the data, not of a model.
rule probe_features:
    input:
        train=probe_manifest,
        tests=probe_tests,
        features=features_of_probe,
    output:
        csv=report(
            "results/{study}/tables/visual_feature_probe.csv",
            caption="../report/probe.rst",
            category="Tables",
            labels={"table": "visual feature probe"},
        ),
        markdown="results/{study}/tables/visual_feature_probe.md",
    log:
        "results/{study}/logs/probe_features.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.probe"),
        env=thread_environment("report"),
        features_root=features_root_of_probe,
        shown=lambda wildcards: STUDY.probe.features,
    shell:
        "{params.env} syncvoice probe --train {input.train} --tests {input.tests}"
        " --features-root {params.features_root} --features {params.shown} --out {output.csv} > {log} 2>&1"


# The error bar of phone times that come from forced alignment: words of clips whose times are known.
rule report_alignment:
    input:
        manifest=manifest_of_alignment_report,
        weights=weights_of_alignment_report,
    output:
        csv=report(
            "results/{study}/tables/forced_alignment.csv",
            caption="../report/alignment.rst",
            category="Tables",
            labels={"table": "forced alignment"},
        ),
        markdown="results/{study}/tables/forced_alignment.md",
    log:
        "results/{study}/logs/report_alignment.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.alignment_report"),
        env=thread_environment("report"),
        recognisers=recognisers_of_alignment_report,
    shell:
        "{params.env} syncvoice alignment-report --manifest {input.manifest} {params.recognisers}"
        " --out {output.csv} > {log} 2>&1"


# What a person looks at before training on a split: faces, mouths, sound, and what was excluded.
rule draw_contact_sheet:
    input:
        manifest="results/{study}/manifests/{dataset}/{split}.cuts.jsonl.gz",
        excluded="results/{study}/manifests/{dataset}/{split}.excluded.csv",
        prepared=prepared_of_split,
    output:
        report(
            "results/{study}/plots/contact_sheet/{dataset}/{split}.jpg",
            caption="../report/contact_sheet.rst",
            category="Data",
            labels={"data set": "{dataset}", "split": "{split}"},
        ),
    log:
        "results/{study}/logs/draw_contact_sheet/{dataset}/{split}.log",
    conda:
        "../../environment.yml"
    threads: threads_of("report")
    params:
        code=code_digest("syncvoice.commands.contact_sheet"),
        env=thread_environment("report"),
    shell:
        "{params.env} syncvoice contact-sheet --manifest {input.manifest} --excluded {input.excluded}"
        " --title 'Data set {wildcards.dataset}, split {wildcards.split}' --out {output} > {log} 2>&1"
