# Human evaluation: a page for listeners, and their answers as tables. Both are asked for by name, never part of `all`.
if STUDY.listening_test:

    localrules:
        listening_test,

    rule listening_test:
        input:
            f"{RESULTS}/listening_test/index.html",

    rule make_listening_test:
        input:
            settings="results/{study}/settings/listening_test.json",
            task=f"{RESULTS}/tasks/{STUDY.listening_test.task}.csv",
            speech=speech_of_listening_test(),
            videos=videos_of_listening_test(),
            references=references_of_listening_test(),
        output:
            page="results/{study}/listening_test/index.html",
            plan="results/{study}/listening_test/plan.json",
        log:
            "results/{study}/logs/make_listening_test.log",
        conda:
            "../../environment.yml"
        threads: threads_of("report")
        params:
            code=code_digest("syncvoice.commands.listening_test"),
            env=thread_environment("report"),
            study_root=subpath(output.page, ancestor=2),
        shell:
            "{params.env} syncvoice listening-test make --settings {input.settings} --study-root {params.study_root}"
            " --references {input.references} --out {output.page} --plan {output.plan} > {log} 2>&1"


if STUDY.listening_test and STUDY.listening_test.answers:

    localrules:
        listening_test_tables,

    rule listening_test_tables:
        input:
            f"{RESULTS}/tables/listening_test.md",

    rule read_listening_test:
        input:
            plan="results/{study}/listening_test/plan.json",
            answers=answers_of_listening_test,
        output:
            participants="results/{study}/tables/listening_test.participants.csv",
            mos="results/{study}/tables/listening_test.mos.csv",
            preference="results/{study}/tables/listening_test.preference.csv",
            markdown=report(
                "results/{study}/tables/listening_test.md",
                caption="../report/listening_test.rst",
                category="Tables",
                labels={"table": "listening test"},
            ),
        log:
            "results/{study}/logs/read_listening_test.log",
        conda:
            "../../environment.yml"
        threads: threads_of("report")
        params:
            code=code_digest("syncvoice.commands.listening_test"),
            env=thread_environment("report"),
            folder=subpath(output.markdown, parent=True),
        shell:
            "{params.env} syncvoice listening-test read --plan {input.plan} --answers {input.answers}"
            " --out-dir {params.folder} > {log} 2>&1"
