// Announcements for screen readers, one sentence at a time, and the note that the world has stopped.

const GAP_MS = 2500;
const waiting = [];
let isBusy = false;

/** Announce one sentence; only the last few waiting ones are kept. */
export function announce(sentence) {
  waiting.push(sentence);
  waiting.splice(0, waiting.length - 3);
  if (!isBusy) speak();
}

function speak() {
  const sentence = waiting.shift();
  isBusy = sentence !== undefined;
  if (!isBusy) return;
  document.getElementById('announcement').textContent = sentence;
  setTimeout(speak, GAP_MS);
}

/** Show that the world stopped, or that it is back. */
export function stopped(isSo, last = null) {
  const note = document.getElementById('stopped');
  if (note.hidden === !isSo) return;
  note.hidden = !isSo;
  document.body.classList.toggle('is-stopped', isSo);
  const when = last ? ` The page shows ${new Date(last.now_ms).toISOString().slice(11, 19)} of its time.` : '';
  note.textContent = isSo ? `The world has stopped, or this page cannot reach it. Is “sidecar demo” still running?${when} This page tries again by itself.` : '';
  announce(isSo ? note.textContent : 'The world is back.');
}
