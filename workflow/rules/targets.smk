"""What a study makes in the end, by kind; no rule stands here."""


def table_files():
    """Tables of the study."""
    return expand("results/{study}/tables/{table}.csv", study=STUDY.name, table=STUDY.tables)


def plot_files():
    """Plots of the study."""
    return expand("results/{study}/plots/{plot}.svg", study=STUDY.name, plot=STUDY.plots)


def files_of_question(name):
    """Tables and plots that answer a question of the study."""
    question = STUDY.questions[name]
    tables = [f"{RESULTS}/tables/{table}.csv" for table in question.tables]
    plots = [f"{RESULTS}/plots/{plot}.svg" for plot in question.plots]
    cost = cost_files() if question.measures_cost else []
    return tables + plots + cost + (faces_lost_files() if question.counts_faces_lost else [])


def settings_of_questions():
    """What the study asks, for whoever reads its results."""
    return [f"{RESULTS}/settings/questions.json"] if STUDY.questions else []


def contact_sheets():
    """One sheet per split with video."""
    return [
        f"{RESULTS}/plots/contact_sheet/{name}/{split}.jpg"
        for name, dataset in STUDY.datasets.items()
        for split in dataset.splits
        if has_video(dataset, split)
    ]


def gallery_files():
    """The gallery of the study, if it has one."""
    return [f"{RESULTS}/gallery/index.html"] if STUDY.gallery else []


def probe_files():
    """The probe of visual features, if the study has one."""
    return [f"{RESULTS}/tables/visual_feature_probe.csv"] if STUDY.probe else []


def alignment_report_files():
    """The report on forced alignment, if the study has one."""
    return [f"{RESULTS}/tables/forced_alignment.csv"] if STUDY.alignment_report else []


def cost_files():
    """The measurement of cost, if the study has one."""
    return [f"{RESULTS}/benchmarks/cost.csv"] if STUDY.cost else []


def rows_of_cost():
    """Rows whose parts are timed."""
    return list(dict.fromkeys([STUDY.cost.row, *STUDY.cost.rows]))


def inputs_of_cost(of):
    """What the timed rows are spoken from, by a function of a row's wildcards."""
    rows = [SimpleNamespace(experiment=row, task=STUDY.cost.task) for row in rows_of_cost()]
    return list(dict.fromkeys(path for row in rows for path in of(row)))


def faces_lost_files():
    """The table of lost faces, if the study perturbs videos."""
    return [f"{RESULTS}/tables/faces_lost.csv"] if STUDY.perturbed_splits() else []


def files_of_faces_lost(wildcards):
    """Manifests, exclusions, tracks and settings of perturbed splits, and what they were made from."""
    made = STUDY.perturbed_splits()
    sources = dict.fromkeys((name, STUDY.datasets[name].splits[split].perturbed.of) for name, split in made)
    pattern = "results/{study}/prepared/{dataset}/{split}/shard-{shard}/tracks.h5"
    return [
        *(manifest(name, split) for name, split in (*made, *sources)),
        f"{RESULTS}/settings/faces_lost.json",
        *(f"{RESULTS}/settings/perturbed/{name}/{split}.json" for name, split in made),
        *(f"{RESULTS}/manifests/{name}/{split}.excluded.csv" for name, split in made),
        *(path for name, split in (*made, *sources) for path in over_shards(pattern, name, split)),
    ]


def manifest_of_alignment_report(wildcards):
    """Clips with known word times."""
    return manifest(STUDY.alignment_report.dataset, STUDY.alignment_report.split)


def recogniser_files():
    """Recognisers that the report compares: the shipped one, and the study's own."""
    own = {STUDY.name: STUDY.network_file("recogniser")} if "recogniser" in STUDY.adapt else {}
    return {"shipped": STUDY.shipped_file("recogniser"), **own}


def recognisers_of_alignment_report(wildcards):
    """Options that name the recognisers."""
    return " ".join(f"--recogniser {name}={path}" for name, path in recogniser_files().items())


def weights_of_alignment_report(wildcards):
    """Weights of the recognisers."""
    return with_metadata(recogniser_files().values())


def probe_manifest(wildcards):
    """Clips that the probe is fitted on."""
    return manifest(STUDY.probe.dataset, STUDY.probe.train)


def probe_tests(wildcards):
    """Clips that the probe is scored on."""
    return [manifest(STUDY.probe.dataset, split) for split in STUDY.probe.tests]


def features_of_probe(wildcards):
    """Features that the probe reads."""
    splits = [STUDY.probe.train, *STUDY.probe.tests]
    return [
        path for split in splits for path in feature_shards(STUDY.probe.dataset, split, ["mel", *STUDY.probe.features])
    ]


def features_root_of_probe(wildcards):
    """Folder of the probe's data set."""
    return f"{RESULTS}/features/{STUDY.probe.dataset}"


def speech_of_listening_test():
    """Speech that listeners judge."""
    test = STUDY.listening_test
    return [f"{RESULTS}/speech/{row}/{test.task}" for row in test.rows]


def videos_of_listening_test():
    """Dubbed videos of the pairs that listeners compare."""
    test = STUDY.listening_test
    return [f"{RESULTS}/videos/{row}/{test.task}" for row in dict.fromkeys(row for pair in test.pairs for row in pair)]


def references_of_listening_test():
    """Reference recordings: of the task's reference split and of its own."""
    task = STUDY.tasks[STUDY.listening_test.task]
    return list(dict.fromkeys(manifest(task.dataset, split) for split in (task.reference_split, task.split)))


def answers_of_listening_test(wildcards):
    """Files of the participants."""
    folder = STUDY.listening_test.answers
    files = sorted(map(str, Path(folder).glob("*.json")))
    if not files:
        raise WorkflowError(f"listening_test.answers: no *.json in {folder}; put the participants' files there")
    return files


def feature_files():
    """Features of every split of the study."""
    return [
        path
        for dataset_name, dataset in STUDY.datasets.items()
        for split in dataset.splits
        for path in feature_shards(dataset_name, split, features_of_split(dataset, split))
    ]


def features_of_split(dataset, split):
    """Features that can be computed of a split: without video, none that needs it."""
    return [name for name, feature in STUDY.features.items() if has_video(dataset, split) or not feature.is_visual()]


def has_video(dataset, split):
    """Whether the clips of a split have a picture."""
    return dataset.splits[split].settings.has_video


def model_files():
    """Models that a row asks for."""
    return expand("results/{study}/models/{recipe}/model.safetensors", study=STUDY.name, recipe=STUDY.models_used())


def speech_files():
    """Speech of every row."""
    return [f"{RESULTS}/speech/{experiment}/{task}" for experiment, task in STUDY.rows()]


def score_files():
    """Scores of every row."""
    return [path for experiment, task in STUDY.rows() for path in scores_of([experiment], task)]
