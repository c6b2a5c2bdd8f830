"use strict";
// One video plays at a time. "Play all" plays the rows of a clip one after the other.
// Keys: space play or pause, left and right another row, up and down another clip, A all rows, Escape stop.
const clips = [...document.querySelectorAll(".clip")];
const videosOf = (clip) => [...clip.querySelectorAll("video")];
let current = document.querySelector("video");
let sequence = null;

function mark(video) {
  for (const figure of document.querySelectorAll("figure.current")) figure.classList.remove("current");
  current = video;
  video.closest("figure").classList.add("current");
}

function stopSequence() {
  if (sequence) sequence.setAttribute("aria-pressed", "false");
  sequence = null;
}

function play(video) {
  video.closest("figure").scrollIntoView({ block: "nearest" });
  video.currentTime = 0;
  video.play();
}

function playAll(clip) {
  const button = clip.querySelector("button");
  const again = sequence === button;
  stopSequence();
  document.querySelectorAll("video").forEach((video) => video.pause());
  const videos = videosOf(clip);
  if (again || !videos.length) return;
  sequence = button;
  button.setAttribute("aria-pressed", "true");
  play(videos[0]);
}

for (const video of document.querySelectorAll("video")) {
  video.addEventListener("play", () => {
    for (const other of document.querySelectorAll("video")) if (other !== video) other.pause();
    if (sequence && sequence.closest(".clip") !== video.closest(".clip")) stopSequence();
    mark(video);
  });
  video.addEventListener("ended", () => {
    if (!sequence) return;
    const videos = videosOf(video.closest(".clip"));
    const next = videos[videos.indexOf(video) + 1];
    if (next) play(next);
    else stopSequence();
  });
}
for (const clip of clips) clip.querySelector("button").addEventListener("click", () => playAll(clip));

function step(rows, columns) {
  const withVideos = clips.filter((clip) => videosOf(clip).length);
  const clip = current.closest(".clip");
  const column = videosOf(clip).indexOf(current);
  const place = Math.min(Math.max(withVideos.indexOf(clip) + rows, 0), withVideos.length - 1);
  const videos = videosOf(withVideos[place]);
  const playing = !current.paused;
  current.pause();
  stopSequence();
  mark(videos[Math.min(Math.max(column + columns, 0), videos.length - 1)]);
  current.closest("figure").scrollIntoView({ block: rows ? "center" : "nearest" });
  if (playing) play(current);
}

document.addEventListener("keydown", (event) => {
  if (!current || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("a")) return;
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  if (event.key in steps) step(...steps[event.key]);
  else if (event.key === " " && !event.target.closest("button")) current.paused ? current.play() : current.pause();
  else if (event.key === "a" || event.key === "A") playAll(current.closest(".clip"));
  else if (event.key === "Escape") {
    current.pause();
    stopSequence();
  } else return;
  event.preventDefault();
});
if (current) mark(current);
