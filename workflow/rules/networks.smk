"""Networks that are trained or imported for a study, or trained before all studies: what they read; no rule is here."""

# Folders of natural speech: "natural" holds the usual mix of sentences, the others phrases of one language.
POOLS = {f"results/pretrain/pool_{kind}": kind for kind in ("natural", *STUDY.pretrain_languages)}


def manifest_of_adaptation(wildcards):
    """Clips that a shipped network learns on."""
    adaptation = STUDY.adapt[wildcards.network]
    return manifest(adaptation.dataset, adaptation.split)


def start_of_adaptation(wildcards):
    """Shipped weights of a network that learns on."""
    return STUDY.shipped_file(wildcards.network)


def weights_of_adaptation(wildcards):
    """Weights that training a network further reads: its own, and the vocoder whose copies the recogniser hears."""
    vocoder = [STUDY.network_file("vocoder")] if wildcards.network == "recogniser" else []
    return with_metadata([start_of_adaptation(wildcards), *vocoder])


def start_of_pretraining(wildcards):
    """Weights that pretraining continues from, if the study says so."""
    folder = STUDY.pretrain_from
    return [f"{folder}/{wildcards.network}.safetensors"] if folder else []


def pool_of_pretraining(wildcards):
    """What a network learns on: the mark that natural speech has been spoken, and recordings."""
    settings = load_configfile(REPOSITORY / "config" / "pretrain" / f"{wildcards.network}.yaml")
    pools = [settings.get("pool"), *settings.get("more_pools", [])]
    spoken = [f"{pool}.spoken" for pool in pools if pool in POOLS]
    return spoken + settings.get("recordings", [])


def options_of_speaking(wildcards):
    """Options of `syncvoice speak-pool`: hours, arithmetic, and the kind of sentences where it is not the usual mix."""
    usual = f"--arithmetic {STUDY.pretrain_arithmetic}"
    if wildcards.kind == "natural":
        return f"--hours {STUDY.pretrain_hours} {usual}"
    return f"--hours {STUDY.pretrain_languages[wildcards.kind]} --kinds {wildcards.kind} {usual}"


def options_of_pretraining(wildcards):
    """Options of `syncvoice pretrain` that depend on the study."""
    start = [f"--start {path}" for path in start_of_pretraining(wildcards)]
    limit = [f"--minutes {STUDY.pretrain_minutes}"] if STUDY.pretrain_minutes else []
    return " ".join(start + limit)


def code_of_pretraining(wildcards):
    """Digest of what makes one network."""
    return code_digest("syncvoice.commands.pretrain", f"syncvoice.pretraining.{wildcards.network}")


def weights_of_recipe(wildcards):
    """Weights that a recipe starts from or conditions on."""
    recipe = STUDY.recipes[wildcards.recipe]
    return [*with_metadata([recipe.start, recipe.speaker_encoder]), *fusion_of_recipe(recipe)]


def fusion_of_recipe(recipe):
    """The model that brings a recipe its fusion, an exported one or a difference, with its metadata."""
    if not recipe.brought_fusion:
        return []
    file = Path(recipe.brought_fusion)
    exported = file.name == "model.safetensors"
    return [str(file), str(file.with_name("metadata.json") if exported else file.with_suffix(".json"))]


def settings_of_seen_features(wildcards):
    """Settings of the features through which an imported model sees."""
    seen = dict.fromkeys(STUDY.recipes[wildcards.recipe].features().values())
    return [f"{RESULTS}/settings/features/{feature}.json" for feature in seen]


def weights_of_import(wildcards):
    """The checkpoint that is imported, the map of its names, and the networks whose digests its conditions carry."""
    recipe = STUDY.recipes[wildcards.recipe]
    settings = {name: STUDY.features[name].settings for name in recipe.features().values()}
    networks = [
        getattr(one, "weights", None) or f"{ASSET_FOLDER}/{one.asset}" for one in settings.values() if one.asset
    ]
    return [*with_metadata([recipe.start]), *([recipe.key_map] if recipe.key_map else []), *networks]


def code_of_import(wildcards):
    """Digest of what imports a checkpoint, and of the extractors that it names."""
    seen = STUDY.recipes[wildcards.recipe].features().values()
    modules = [extractors.module_name(STUDY.features[feature].extractor) for feature in dict.fromkeys(seen)]
    return code_digest("syncvoice.commands.import_checkpoint", *modules)
