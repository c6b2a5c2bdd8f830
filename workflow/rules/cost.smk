# What each part of dubbing costs here. The job takes all cores and comes last, so that no other runs beside what it
# times. No two runs give the same bytes, so its table stands among the benchmarks, where nothing compares it.
if STUDY.cost:

    rule measure_cost:
        input:
            inputs_of_cost(model_of_experiment),
            inputs_of_cost(features_of_experiment),
            inputs_of_cost(weights_of_experiment),
            settings="results/{study}/settings/cost.json",
            task=f"{RESULTS}/tasks/{STUDY.cost.task}.csv",
            manifests=inputs_of_cost(lambda row: [manifest_of_task(row), references_of_task(row)]),
        output:
            csv=report(
                "results/{study}/benchmarks/cost.csv",
                caption="../report/cost.rst",
                category="Tables",
                labels={"table": "cost"},
            ),
            markdown="results/{study}/benchmarks/cost.md",
            latex="results/{study}/benchmarks/cost.tex",
        log:
            "results/{study}/logs/measure_cost.log",
        priority: -10
        conda:
            "../../environment.yml"
        threads: workflow.cores or 1
        resources:
            mem_mb=memory(4000),
        params:
            code=code_digest("syncvoice.commands.measure_cost"),
            env=thread_environment("generate"),
            features_root=f"{RESULTS}/features/{STUDY.tasks[STUDY.cost.task].dataset}",
            models=f"{RESULTS}/models",
        shell:
            "{params.env} syncvoice measure-cost --settings {input.settings} --task {input.task}"
            " --manifest {input.manifests} --features-root {params.features_root} --models {params.models}"
            " --out {output.csv} > {log} 2>&1"
