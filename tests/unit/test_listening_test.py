"""The listening-test page, in a real browser where there is one, and its answers read back."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.errors import UserError
from syncvoice.reporting import listening_answers as answers
from syncvoice.reporting import listening_test as page
from syncvoice.reporting.settings import ListeningTestJob
from syncvoice.section import read_settings
from syncvoice.study import load_study, read_study
from syncvoice.study.jobs import job_settings
from tests.unit import fake_study
from tests.unit.real_browser import click, start_browser, wait_for

CONFIG = Path(__file__).parents[2] / "config"
ROWS = ("ground_truth", "M1", "M3")
CLIPS = 2


def settings_file(folder: Path, **changes: object) -> Path:
    content = {
        "title": "Dubbed speech",
        "study": "mini",
        "task": "en_en",
        "rows": [{"experiment": row, "caption": f"what {row} is", "group": "x"} for row in ROWS],
        "baseline": "M1",
        "clips": CLIPS,
        "pairs": [["M3", "M1"]],
        "checks": 2,
    } | changes
    path = folder / "settings.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with speech of 0.2 s for two clips and videos of one row pair."""
    root = tmp_path_factory.mktemp("study")
    rows = fake_study.task_rows("en_en", 6)
    fake_study.write_csv(root / "tasks" / "en_en.csv", fake_study.TASK_COLUMNS, rows)
    for number, row in enumerate(ROWS):
        lines = [{"utterance": line["utterance"], "wav": f"{line['utterance']}.wav", "status": "ok"} for line in rows]
        fake_study.write_csv(root / "speech" / row / "en_en" / "utterances.csv", ["utterance", "wav", "status"], lines)
        for index in range(CLIPS):
            tone = 0.1 * np.sin(np.arange(4800) * (0.05 + 0.01 * number + 0.003 * index))
            write_wav(root / "speech" / row / "en_en" / f"en_en_{index:03d}.wav", tone, 24_000)
    for index in range(6):
        write_wav(root / "references" / f"ref_voice_{index}.wav", 0.1 * np.sin(np.arange(4800) * 0.02 * index), 24_000)
    fake_study.write_video(root / "videos" / "M1" / "en_en" / "en_en_000.mp4", 4, 20)
    fake_study.write_video(root / "videos" / "M3" / "en_en" / "en_en_000.mp4", 4, 60)
    return root


@pytest.fixture(scope="module")
def references(study: Path) -> dict[str, Path]:
    return {path.stem: path for path in (study / "references").glob("*.wav")}


@pytest.fixture(scope="module")
def made(study: Path, references: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    return page.make_test(
        read_settings(settings_file(tmp_path_factory.mktemp("s")), ListeningTestJob), study, references
    )


def answered(plan: dict, participant: str, scores: dict[str, int], prefer: str = "first", wrong: int = 0) -> dict:
    """Answers of a participant who gives each row its score and misses `wrong` checks."""
    entries = []
    for item in plan["items"]:
        if item["kind"] == "check":
            value: object = item["expected"] % 5 + 1 if wrong > 0 else item["expected"]
            wrong -= 1
        else:
            value = prefer if item["kind"] == "preference" else scores[item["row"]]
        entries.append({"item": item["id"], "value": value})
    return {"format": page.FORMAT, "test": plan["test"], "participant": participant, "answers": entries}


def made_empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def write_answers(folder: Path, *contents: object) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"{number}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return answers.answer_files([folder])


def test_plan_holds_every_row_clip_and_check_once(made) -> None:
    _, plan = made
    kinds = [(item["kind"], item["row"], item["other"], item["utterance"]) for item in plan["items"]]
    assert len(set(kinds) - {("check", "", "", "")}) == len(kinds) - 2
    count = {kind: sum(entry[0] == kind for entry in kinds) for kind in page.KINDS}
    assert count == {"naturalness": 6, "similarity": 6, "preference": 2, "check": 2}
    assert len({item["id"] for item in plan["items"]}) == 16
    assert len({item["expected"] for item in plan["items"] if item["kind"] == "check"}) == 2


def test_page_is_blind_and_self_contained(made) -> None:
    text, plan = made
    data = json.loads(text.split('id="test">')[1].split("</script>")[0])
    for source in data["sounds"].values():
        text = text.replace(source, "")
    assert not any(name in text for name in (*ROWS, "expected", "en_en_00", "http://", "https://"))
    assert {item["id"] for item in data["items"]} == {item["id"] for item in plan["items"]}
    assert {sound for item in data["items"] for sound in item["sounds"]} == set(data["sounds"])
    kinds = {name: source.split(";")[0] for name, source in data["sounds"].items()}
    pairs = [item for item in plan["items"] if item["kind"] == "preference"]
    assert {kinds[name] for name in pairs[0]["sounds"]} | {kinds[name] for name in pairs[1]["sounds"]} == {
        "data:video/mp4",
        "data:audio/flac",
    }


def test_same_settings_give_the_same_page(made, study, references, tmp_path) -> None:
    assert page.make_test(read_settings(settings_file(tmp_path), ListeningTestJob), study, references) == made
    other = page.make_test(read_settings(settings_file(tmp_path, seed=2), ListeningTestJob), study, references)
    assert other[1]["test"] != made[1]["test"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": [["M3", "M9"]]}, "M9 is no row"),
        ({"colour": "red"}, "colour"),
        ({"max_megabytes": 0.01}, "name fewer clips"),
        ({"rows": [{"experiment": "M5"}], "pairs": [], "baseline": None}, "M5.*generate the speech"),
    ],
)
def test_bad_settings_are_sentences(changes, message, study, references, tmp_path) -> None:
    with pytest.raises(UserError, match=message):
        page.make_test(read_settings(settings_file(tmp_path, **changes), ListeningTestJob), study, references)


def test_a_study_gives_settings_that_the_page_takes(tmp_path) -> None:
    content = job_settings(read_study(CONFIG / "mini.yaml"), {})["listening_test"]
    (tmp_path / "settings.json").write_text(json.dumps(content))
    settings = read_settings(tmp_path / "settings.json", ListeningTestJob)
    assert (settings.task, settings.baseline, settings.pairs) == ("en_en", "M1", (("M3", "M1"),))
    assert settings.rows[0].experiment == "ground_truth" and settings.rows[0].caption == "recorded speech"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": ["M9"], "pairs": [], "baseline": None}, "listening_test.rows: unknown experiment 'M9'"),
        ({"baseline": "M2"}, "listening_test: unknown row 'M2'"),
        ({"pairs": [["M3", "noise"]]}, "listening_test: unknown row 'noise'"),
    ],
)
def test_wrong_names_in_a_study_are_sentences(changes, message) -> None:
    values = yaml.safe_load((CONFIG / "mini.yaml").read_text())
    values["listening_test"] |= changes
    with pytest.raises(UserError, match=message):
        load_study(values, CONFIG, "study.yaml")


def test_no_reference_recording_is_a_sentence(study, tmp_path) -> None:
    with pytest.raises(UserError, match="no clip of task en_en"):
        page.make_test(read_settings(settings_file(tmp_path), ListeningTestJob), study, {})


def test_answers_give_means_and_preferences(made, tmp_path) -> None:
    _, plan = made
    people = [answered(plan, f"p{n}", {"ground_truth": 5, "M1": 2, "M3": 4 - n % 2}) for n in range(8)]
    result = answers.evaluate(plan, write_answers(tmp_path, *people))
    mos = result.frames["mos"].set_index(["measure", "row"])
    assert mos.loc[("MOS-N", "M1"), "mean"] == 2
    assert mos.loc[("MOS-S", "M3"), "mean"] == 3.5
    low, high = mos.loc[("MOS-S", "M3"), ["ci_low", "ci_high"]]
    assert 3 <= low < 3.5 < high <= 4
    assert mos.loc[("MOS-N", "ground_truth"), "diff_vs_baseline"] == 3
    assert mos.loc[("MOS-N", "M3"), "p_holm"] < 0.05
    assert mos.loc[("MOS-N", "M3"), "n_ratings"] == 16
    (preference,) = result.frames["preference"].to_dict("records")
    assert (preference["share"], preference["preferred"], preference["p_holm"] < 0.05) == (1, 16, True)
    assert "8 of 8 participants count" in answers.markdown(result)


def test_no_difference_counts_half(made, tmp_path) -> None:
    _, plan = made
    scores = dict.fromkeys(ROWS, 3)
    people = [answered(plan, "a", scores, "none"), answered(plan, "b", scores, "second")]
    (line,) = answers.evaluate(plan, write_answers(tmp_path, *people)).frames["preference"].to_dict("records")
    assert (line["share"], line["no_difference"], line["other_preferred"]) == (0.25, 2, 2)


def test_participants_who_cannot_count_are_listed_with_the_reason(made, tmp_path) -> None:
    _, plan = made
    scores = dict.fromkeys(ROWS, 3)
    good = answered(plan, "good", scores)
    half = answered(plan, "half", scores) | {"answers": good["answers"][:4]}
    strange = answered(plan, "strange", dict.fromkeys(ROWS, 9))
    other = answered(plan, "other", scores) | {"test": "0" * 16}
    bad = [answered(plan, "asleep", scores, wrong=1), half, strange, other, "{", '{"a": 1}', good]
    result = answers.evaluate(plan, write_answers(tmp_path, good, *bad))
    table = result.frames["participants"]
    assert list(table["status"]) == ["used"] + ["excluded"] * 7
    for reason, expected in zip(
        table["reason"][1:],
        ["failed 1 of 2", "not finished: 4 of 16", "answer 9", "another page", "JSON", "listening test", "used before"],
        strict=True,
    ):
        assert expected in reason
    assert set(result.frames["mos"]["n_participants"]) == {1}
    assert "1 of 8 participants count; excluded: asleep: failed 1 of 2" in answers.counted(result)


def test_nobody_counts_and_nothing_playable(made, tmp_path) -> None:
    _, plan = made
    asleep = answered(plan, "asleep", dict.fromkeys(ROWS, 3), wrong=2)
    empty = answers.evaluate(plan, write_answers(tmp_path / "a", asleep))
    assert empty.frames["mos"]["mean"].isna().all() and "0 of 1" in answers.markdown(empty)
    deaf = answered(plan, "deaf", dict.fromkeys(ROWS, 3))
    first = next(item["id"] for item in plan["items"] if (item["kind"], item["row"]) == ("naturalness", "M3"))
    next(entry for entry in deaf["answers"] if entry["item"] == first)["value"] = None
    mos = answers.evaluate(plan, write_answers(tmp_path / "b", deaf)).frames["mos"].set_index(["measure", "row"])
    assert mos.loc[("MOS-N", "M3"), "n_ratings"] == 1
    with pytest.raises(UserError, match="no answers"):
        answers.answer_files([made_empty(tmp_path / "nothing")])
    with pytest.raises(UserError, match="expected 'syncvoice listening test 1'"):
        answers.evaluate({"format": "x"}, [])


def test_command_makes_a_page_and_reads_answers(study, tmp_path, monkeypatch) -> None:
    class Recording:
        def __init__(self, path: Path) -> None:
            self.id, self.audio = path.stem, path

    monkeypatch.setattr(
        "syncvoice.records.clips.clips_of", lambda folder: [Recording(path) for path in Path(folder).glob("*.wav")]
    )
    made = ["--out", str(tmp_path / "index.html"), "--plan", str(tmp_path / "plan.json")]
    inputs = ["--settings", str(settings_file(tmp_path)), "--study-root", str(study)]
    assert main(["listening-test", "make", *inputs, "--references", str(study / "references"), *made]) == 0
    plan = json.loads((tmp_path / "plan.json").read_text())
    write_answers(tmp_path / "answers", answered(plan, "p1", dict.fromkeys(ROWS, 4)))
    read = ["--plan", made[3], "--answers", str(tmp_path / "answers"), "--out-dir", str(tmp_path / "tables")]
    assert main(["listening-test", "read", *read]) == 0
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        *(f"listening_test.{name}.csv" for name in ("participants", "mos", "preference")),
        "listening_test.md",
    }
    once = (tmp_path / "tables" / "listening_test.mos.csv").read_bytes()
    assert main(["listening-test", "read", *read]) == 0
    assert (tmp_path / "tables" / "listening_test.mos.csv").read_bytes() == once


@pytest.fixture(scope="module")
def small(study, references, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A page of six items for the browser, as a file, and its plan."""
    folder = tmp_path_factory.mktemp("page")
    rows = [{"experiment": row} for row in ("M1", "M3")]
    settings = read_settings(settings_file(folder, rows=rows, clips=1, checks=1), ListeningTestJob)
    text, plan = page.make_test(settings, study, references)
    (folder / "index.html").write_text(text, encoding="utf-8")
    return folder / "index.html", plan


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    """A headless Chromium or Chrome from PATH that saves downloads into `browser.downloads`."""
    running = start_browser(tmp_path_factory.mktemp("downloads"))
    yield running
    running.quit()


def begin(browser, path: Path, participant: str) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get(path.as_uri())
    browser.switch_to.active_element.send_keys(participant, Keys.ENTER)


def order_of(browser) -> list[dict]:
    return browser.execute_script("return session.order.map(({id, swapped}) => ({id, swapped}))")


def test_browser_plays_answers_and_downloads(browser, small) -> None:
    """One participant, by keyboard alone; the sounds really play."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    path, plan = small
    items = {item["id"]: item for item in plan["items"]}
    begin(browser, path, "p 1")
    assert browser.get_log("browser") == []  # no error, nothing blocked
    order = order_of(browser)
    next_button = browser.find_element(By.ID, "next")
    for number, step in enumerate(order):
        item = items[step["id"]]
        assert browser.find_element(By.ID, "count").text == f"{number + 1} of 6"
        keys = browser.find_element(By.TAG_NAME, "body")
        keys.send_keys("3")
        assert not next_button.is_enabled()  # not heard yet: no answer is taken
        for sound in range(len(item["sounds"])):
            keys.send_keys(Keys.SPACE)
            wait_for(lambda sound=sound: len(browser.find_elements(By.CSS_SELECTOR, ".player.heard")) > sound)
        answer = {"check": item["expected"], "preference": 3 if step["swapped"] else 1}.get(item["kind"], 4)
        keys.send_keys(str(answer))
        browser.switch_to.active_element.send_keys(Keys.ENTER)
        if number == 2:  # a reload continues with the same item
            begin(browser, path, "p 1")
            assert order_of(browser) == order
            next_button = browser.find_element(By.ID, "next")
    assert "Thank you" in browser.find_element(By.ID, "end").text
    click(lambda: browser.find_element(By.ID, "download"))
    file = browser.downloads / "mini-p_1.json"
    wait_for(file.exists)
    result = answers.evaluate(plan, [file])
    assert list(result.frames["participants"]["status"]) == ["used"]
    assert set(result.frames["mos"]["mean"]) == {4}
    assert list(result.frames["preference"]["share"]) == [1]  # the row, not the side it stood on
    content = json.loads(file.read_text())
    assert content["order"] == [step["id"] for step in order]
    assert all(sum(entry["plays"]) >= 1 for entry in content["answers"])


def test_browser_order_depends_on_the_participant_alone(browser, made, tmp_path) -> None:
    path = tmp_path / "index.html"
    path.write_text(made[0], encoding="utf-8")
    orders = {}
    for participant in ("ann", "bob", "cem", "ann"):
        begin(browser, path, participant)
        order = order_of(browser)
        assert orders.setdefault(participant, order) == order
        kinds = {item["id"]: item["kind"].replace("check", "naturalness") for item in made[1]["items"]}
        parts = [kinds[step["id"]] for step in order]
        assert parts == sorted(parts, key=["naturalness", "similarity", "preference"].index)
    assert len({json.dumps(order) for order in orders.values()}) == 3
    sides = [step["swapped"] for order in orders.values() for step in order if step["swapped"]]
    assert 0 < len(sides) < 6


def test_browser_offers_to_skip_what_it_cannot_play(browser, small, tmp_path) -> None:
    from selenium.webdriver.common.by import By

    path = tmp_path / "index.html"
    start, data = small[0].read_text(encoding="utf-8").split('id="test">')
    content, end = data.split("</script>", 1)
    broken = json.loads(content)
    broken["sounds"] = dict.fromkeys(broken["sounds"], "data:audio/flac;base64,AAAA")
    path.write_text(f'{start}id="test">{json.dumps(broken)}</script>{end}', encoding="utf-8")
    begin(browser, path, "deaf")
    wait_for(browser.find_element(By.ID, "next").is_enabled)
    assert browser.find_element(By.ID, "next").text == "Skip"
    click(lambda: browser.find_element(By.ID, "next"))
    assert browser.execute_script("return session.answers[0].value") is None
    assert browser.find_element(By.ID, "count").text == "2 of 6"
