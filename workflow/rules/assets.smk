# Weights made by others. Fetching is asked for by name (`snakemake resources/assets/NAME`); the study `mini` needs none.
localrules:
    fetch_asset,


rule fetch_asset:
    input:
        registry=ancient("config/assets.yaml"),
    output:
        protected("resources/assets/{asset}"),
    log:
        "resources/logs/fetch_asset/{asset}.log",
    wildcard_constraints:
        asset=one_of(ASSETS),
    retries: 3
    conda:
        "../../environment.yml"
    script:
        "../scripts/fetch_asset.py"
