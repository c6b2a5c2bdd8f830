# Recordings made by others. Only data sets that their owners let everybody download have a rule; how to get the others
# stands in config/datasets/.
FETCHED = [name for name in STUDY.datasets if not is_embedded(name) and fetched_folder(name)]


# Archives lie in the folder until they are unpacked, so that an interrupted download goes on.
rule fetch_grid:
    input:
        card=ancient("config/datasets/{dataset}.yaml"),
    output:
        "resources/datasets/{dataset}.json",
    log:
        "resources/logs/fetch_grid/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(FETCHED),
    retries: 3
    conda:
        "../../environment.yml"
    params:
        folder="resources/datasets/{dataset}",
    script:
        "../scripts/fetch_dataset.py"
