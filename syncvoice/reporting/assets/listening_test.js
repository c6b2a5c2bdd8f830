"use strict";
// The order of items and the sides of pairs follow from the participant's code alone, so a reload continues where it
// stopped. Answers stay in the browser until they are downloaded as JSON.
// Keys: space plays the next sound or pauses, 1 to 5 (pairs: 1 to 3, or A, N, B) answer, Enter continues.
const test = JSON.parse(document.getElementById("test").textContent);
const $ = (id) => document.getElementById(id);
const PARTS = {
  naturalness: {
    title: "Naturalness",
    question: "How natural does this speech sound?",
    hint: "Judge the speech itself: could a person have said it like this?",
    options: [["1", "Bad"], ["2", "Poor"], ["3", "Fair"], ["4", "Good"], ["5", "Excellent"]],
    players: ["Speech"],
  },
  similarity: {
    title: "Voice",
    question: "How similar is the voice to the reference voice?",
    hint: "Judge only whether it could be the same person, not what is said or how natural it sounds.",
    options: [["1", "Not at all"], ["2", "A little"], ["3", "Somewhat"], ["4", "Very"], ["5", "Same voice"]],
    players: ["Reference voice", "Speech to judge"],
  },
  preference: {
    title: "Preference",
    question: "Which of the two do you prefer?",
    hint: "Judge the whole: the speech, and how well it fits the picture if there is one.",
    options: [["A", "A is better"], ["=", "No difference"], ["B", "B is better"]],
    players: ["A", "B"],
  },
};
PARTS.check = PARTS.naturalness;
const VALUES = { A: "first", "=": "none", B: "second" };
let session = null;
let media = [];
let shown = 0;

function hash(text) {
  let value = 0x811c9dc5;
  for (const character of text) {
    value ^= character.codePointAt(0);
    value = Math.imul(value, 0x01000193);
  }
  return value >>> 0;
}

function generator(text) {
  let state = hash(text);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, random) {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

function plan(participant) {
  const random = generator(test.id + "/" + participant);
  const parts = [["naturalness", "check"], ["similarity"], ["preference"]];
  return parts.flatMap((kinds) => shuffled(test.items.filter((item) => kinds.includes(item.kind)), random)).map(
    (item) => ({ ...item, swapped: item.kind === "preference" && random() < 0.5 })
  );
}

function stored(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch { /* private windows keep nothing: the test still works, a reload starts over */ }
  return null;
}

const place = () => "syncvoice-listening-test/" + test.id + "/" + session.participant;

function start(event) {
  event.preventDefault();
  const participant = $("participant").value.trim();
  if (!participant) return;
  session = { participant, order: plan(participant), answers: [], started: new Date().toISOString() };
  const before = JSON.parse(stored(place()) || "null");
  if (before) Object.assign(session, { answers: before.answers, started: before.started });
  $("intro").hidden = true;
  $("bar").hidden = false;
  session.answers.length < session.order.length ? show() : finish();
}

function show() {
  const number = session.answers.length;
  const item = session.order[number];
  const part = PARTS[item.kind];
  const kinds = [...new Set(session.order.map((entry) => PARTS[entry.kind].title))];
  $("part").textContent = `Part ${kinds.indexOf(part.title) + 1} of ${kinds.length}: ${part.title}`;
  $("count").textContent = `${number + 1} of ${session.order.length}`;
  $("progress").max = session.order.length;
  $("progress").value = number;
  $("question").textContent = part.question;
  $("hint").textContent = part.hint;
  const sources = item.swapped ? [...item.sounds].reverse() : item.sounds;
  $("players").replaceChildren(...sources.map((name, index) => player(part.players[index], test.sounds[name])));
  media = [...$("players").querySelectorAll("audio, video")];
  $("scale").replaceChildren(...part.options.map(([value, label], index) => option(value, label, index)));
  $("answers").disabled = true;
  $("next").disabled = true;
  $("wait").textContent = media.length > 1 ? "Listen to both to the end first." : "Listen to the end first.";
  $("range").textContent = `1–${part.options.length}`;
  $("keys").hidden = false;
  $("item").hidden = false;
  $("question").focus();
  shown = performance.now();
}

function player(title, source) {
  const box = document.createElement("div");
  box.className = "player";
  const sound = document.createElement(source.startsWith("data:video") ? "video" : "audio");
  sound.src = source;
  sound.preload = "auto";
  sound.playsInline = true;
  const heading = document.createElement("h3");
  heading.textContent = title;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "▶ Play";
  button.setAttribute("aria-label", "Play " + title);
  const track = document.createElement("div");
  track.className = "track";
  track.append(document.createElement("div"));
  const state = document.createElement("div");
  state.className = "state";
  box.append(heading, sound, button, track, state);
  sound.dataset.plays = "0";
  sound.addEventListener("play", () => {
    media.forEach((other) => other !== sound && other.pause());
    button.textContent = "❚❚ Pause";
  });
  sound.addEventListener("pause", () => (button.textContent = "▶ " + (heard(sound) ? "Play again" : "Play")));
  sound.addEventListener("timeupdate", () => {
    track.firstChild.style.width = `${(100 * sound.currentTime) / (sound.duration || 1)}%`;
  });
  sound.addEventListener("ended", () => {
    sound.dataset.plays = String(Number(sound.dataset.plays) + 1);
    box.classList.add("heard");
    state.textContent = "Heard";
    button.textContent = "▶ Play again";
    unlock();
  });
  sound.addEventListener("error", () => {
    sound.dataset.broken = "yes";
    state.textContent = "This browser cannot play it; please skip it.";
    unlock();
  });
  button.addEventListener("click", () => toggle(sound));
  return box;
}

const heard = (sound) => sound.dataset.plays !== "0";

function toggle(sound) {
  if (sound.paused) sound.play().catch(() => {});
  else sound.pause();
}

function unlock() {
  const broken = media.some((sound) => sound.dataset.broken);
  if (broken) {
    $("next").textContent = "Skip";
    $("next").disabled = false;
  } else if (media.every(heard)) {
    $("answers").disabled = false;
    $("wait").textContent = "";
  }
}

function option(value, label, index) {
  const box = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "answer", value });
  input.addEventListener("change", () => ($("next").disabled = false));
  const number = document.createElement("b");
  number.textContent = value;
  box.title = `Key ${index + 1}`;
  box.append(input, number, label);
  return box;
}

function next() {
  if ($("next").disabled || $("item").hidden) return;
  const item = session.order[session.answers.length];
  const chosen = document.querySelector("input[name=answer]:checked");
  const broken = media.some((sound) => sound.dataset.broken);
  if (!chosen && !broken) return;
  let value = chosen && !broken ? chosen.value : null;
  if (value !== null) value = item.kind === "preference" ? side(VALUES[value], item.swapped) : Number(value);
  session.answers.push({
    item: item.id,
    value,
    swapped: item.swapped,
    plays: media.map((sound) => Number(sound.dataset.plays)),
    seconds: Math.round((performance.now() - shown) / 100) / 10,
  });
  media.forEach((sound) => sound.pause());
  $("next").textContent = "Next";
  stored(place(), JSON.stringify({ answers: session.answers, started: session.started }));
  session.answers.length < session.order.length ? show() : finish();
}

// Answers name the sound, not the side it stood on.
const side = (value, swapped) => (swapped ? { first: "second", second: "first", none: "none" }[value] : value);

function finish() {
  $("item").hidden = true;
  $("keys").hidden = true;
  $("part").textContent = "Finished";
  $("count").textContent = `${session.order.length} of ${session.order.length}`;
  $("progress").max = $("progress").value = session.order.length;
  session.finished = session.finished || new Date().toISOString();
  const { participant, started, finished, answers } = session;
  const order = session.order.map((item) => item.id);
  const content = { format: test.format, test: test.id, participant, started, finished, order, answers };
  const text = JSON.stringify(content, null, 1) + "\n";
  const link = $("download");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `${test.name}-${participant.replace(/[^\p{L}\p{N}_-]+/gu, "_")}.json`;
  $("text").value = text;
  $("end").hidden = false;
  link.focus();
}

function pressed(event) {
  if ($("item").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const inputs = [...document.querySelectorAll("input[name=answer]")];
  const letters = { a: 0, n: 1, b: 2 };
  const key = event.key.toLowerCase();
  const index = /^[1-9]$/.test(key) ? Number(key) - 1 : inputs.length === 3 && key in letters ? letters[key] : -1;
  if (key === " ") {
    if (event.target.closest("button")) return;
    const playing = media.find((sound) => !sound.paused);
    toggle(playing || media.find((sound) => !heard(sound)) || media[0]);
  } else if (key === "enter") {
    if (event.target.closest("button")) return;
    next();
  } else if (index >= 0 && index < inputs.length && !$("answers").disabled) {
    inputs[index].click();
    inputs[index].focus();
  } else return;
  event.preventDefault();
}

$("intro").addEventListener("submit", start);
$("next").addEventListener("click", next);
document.addEventListener("keydown", pressed);
$("participant").focus();
