// What is said aloud to a screen reader, one sentence at a time, and that the world has stopped.

const GAP_MS = 2500;
const waiting = [];
let isBusy = false;

/** Say one sentence; while others wait, only the last few are kept. */
export function said(sentence) {
  waiting.push(sentence);
  waiting.splice(0, waiting.length - 3);
  if (!isBusy) speak();
}

function speak() {
  const sentence = waiting.shift();
  isBusy = sentence !== undefined;
  if (!isBusy) return;
  document.getElementById('said').textContent = sentence;
  setTimeout(speak, GAP_MS);
}

/** Say that the world stopped, or that it is there again. */
export function stopped(isSo, last = null) {
  const note = document.getElementById('stopped');
  if (note.hidden === !isSo) return;
  note.hidden = !isSo;
  document.body.classList.toggle('is-stopped', isSo);
  const when = last ? ` What is shown is from ${new Date(last.now_ms).toISOString().slice(11, 19)} of its time.` : '';
  note.textContent = isSo ? `The world has stopped, or this page cannot reach it. Is “sidecar demo” still running?${when} This page tries again by itself.` : '';
  said(isSo ? note.textContent : 'The world is there again.');
}
