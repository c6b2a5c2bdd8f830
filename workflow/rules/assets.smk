# Weights made by others. A study fetches what its rows and scorers read; `mini` reads kokoro_int8 alone.
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
