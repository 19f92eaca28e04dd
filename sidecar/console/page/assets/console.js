// The console lives: it is told when there is something new, fetches the page, and puts in what is other. Without this
// script the page is complete, and as old as its head says.

const STALE_MS = 15_000;
const news = document.getElementById("news");
const newsWords = document.getElementById("news-words");
const moves = document.getElementById("moves");

// --- news

let isFetching = false;
let isWanted = false;
let heardAt = Date.now();
let said = document.getElementById("served").dataset.said;

function show(state, words) {
  news.dataset.state = state;
  if (newsWords.textContent !== words) newsWords.textContent = words;
}

function heard() {
  heardAt = Date.now();
  show("live", "Live.");
}

function lost() {
  const seconds = Math.round((Date.now() - heardAt) / 1000);
  show("lost", `No news for ${seconds} s: what you see may be old`);
}

// The browser itself parses the page into a document that runs nothing.
function fetchPage() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(new Error(`${request.status}`)));
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send();
  });
}

async function refresh() {
  if (document.hidden) return;
  if (isFetching) {
    isWanted = true;
    return;
  }
  isFetching = true;
  try {
    put(await fetchPage());
    heard();
  } catch {
    lost();
  }
  isFetching = false;
  if (isWanted) {
    isWanted = false;
    refresh();
  }
}

function put(page) {
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(section.id);
    if (fresh && !isSelected(section)) replace(section, fresh);
  }
  document.title = page.title;
  announce(document.getElementById("served").dataset.said);
}

// What a person is copying must not vanish under the pointer.
function isSelected(section) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && section.contains(selection.anchorNode);
}

function replace(section, fresh) {
  reveal(fresh);
  for (const opened of section.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(opened.id)}`)?.setAttribute("open", "");
  }
  if (section.outerHTML === fresh.outerHTML) return;
  const focused = section.contains(document.activeElement) ? document.activeElement.id : "";
  for (const name of ["class", "data-said"]) {
    if (fresh.hasAttribute(name)) section.setAttribute(name, fresh.getAttribute(name));
  }
  section.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// Moves are said to who hears the page, and nothing else is.
function announce(now) {
  const mode = (words) => words.split(". ")[0];
  if (mode(now) !== mode(said)) moves.textContent = now;
  said = now;
}

function reveal(root) {
  for (const buttons of root.querySelectorAll(".buttons")) buttons.hidden = false;
}

function listen() {
  const stream = new EventSource("/api/stream");
  stream.onmessage = refresh;
  stream.onerror = () => {
    lost();
    if (stream.readyState !== EventSource.CLOSED) return; // the browser comes again by itself
    refresh(); // refused: too many listen, so this one asks now and then
    setTimeout(listen, 5000);
  };
}

setInterval(() => {
  if (!document.hidden && Date.now() - heardAt > STALE_MS) lost();
}, 1000);
document.addEventListener("visibilitychange", refresh);
reveal(document);
listen();

// --- actions

const TOKEN = "operator-token";
const dialog = document.getElementById("dialog");
const form = document.getElementById("action-form");
const part = (name) => document.getElementById(`dialog-${name}`);
const reason = document.getElementById("reason");
const token = document.getElementById("token");
const forget = document.getElementById("token-forget");
const doIt = part("do");
const field = (id) => document.getElementById(id);
let action = null; // the button's data, its label, and how far the dialog has come

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) open(button);
});

function open(button) {
  action = { ...button.dataset, label: button.textContent.trim(), id: button.id, isAsked: false };
  part("title").textContent = action.label;
  part("explanation").textContent = action.explanation;
  part("trouble").textContent = "";
  part("again").hidden = true;
  part("fields").hidden = false;
  part("cancel").textContent = "Cancel";
  doIt.textContent = action.label;
  doIt.hidden = false;
  doIt.toggleAttribute("data-danger", Boolean(action.again));
  reason.value = "";
  const fields = (action.fields ?? "").split(" ");
  for (const name of ["release", "name", "window"]) field(`field-${name}`).hidden = !fields.includes(name);
  askToken(!sessionStorage.getItem(TOKEN));
  dialog.showModal();
  (fields.includes("name") ? field("name") : fields.includes("release") ? field("release") : reason).focus();
}

function askToken(isAsked) {
  document.getElementById("token-asked").hidden = !isAsked;
  forget.hidden = isAsked;
  token.value = "";
}

forget.addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  askToken(true);
  token.focus();
});

part("cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  token.value = "";
  const button = document.getElementById(action.id) ?? document.querySelector("button[data-action]");
  button?.focus({ preventScroll: true });
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const missing = !reason.value.trim() ? reason : !sessionStorage.getItem(TOKEN) && !token.value ? token : null;
  if (missing) {
    trouble(missing === reason ? "Say why: it stands in the record." : "An operator token is needed to action.", missing);
  } else if (action.again && !action.isAsked) {
    ask();
  } else {
    send();
  }
});

function trouble(words, field) {
  part("trouble").textContent = words;
  field?.focus();
}

function ask() {
  action.isAsked = true;
  part("trouble").textContent = "";
  part("fields").hidden = true;
  part("again").textContent = action.again;
  part("again").hidden = false;
  doIt.textContent = `Yes: ${action.label.toLowerCase()}`;
  part("cancel").textContent = "No";
  part("cancel").focus();
}

async function send() {
  const bearer = token.value || sessionStorage.getItem(TOKEN);
  doIt.disabled = true;
  try {
    const answer = await fetch(`/api/${action.action}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" },
      body: JSON.stringify(body()),
      signal: AbortSignal.timeout(15_000),
    });
    settle(answer.status, await answer.json(), bearer);
  } catch {
    trouble("The sidecar did not answer; whether it was done, the log below says.");
  }
  doIt.disabled = false;
}

// What is sent. A field that is missing or makes no sense is the sidecar's to refuse, in words.
function body() {
  const said = { reason: reason.value.trim() };
  if (action.action === "approve") return { ...said, rung: Number(action.rung), epoch: Number(action.epoch) };
  if (action.action === "thaw") return { ...said, name: action.name };
  if (action.action === "note") return { ...said, release: field("release").value.trim() || null };
  if (action.action === "freeze") return { ...said, name: field("name").value.trim(), ...frozen() };
  return said;
}

function frozen() {
  const at = (id) => new Date(field(id).value).getTime() || 0;
  if (!isWeekly()) return { window: { type: "once", from_ms: at("once-from"), until_ms: at("once-until") } };
  const [hours, minutes] = (field("weekly-from").value || "0:0").split(":").map(Number);
  const window = {
    type: "weekly",
    days: [...form.querySelectorAll("[name=day]:checked")].map((day) => Number(day.value)),
    from_minute: 60 * hours + minutes,
    lasts_minutes: Math.round(60 * Number(field("weekly-hours").value)),
    utc_offset_minutes: -new Date().getTimezoneOffset(),
  };
  return { window, expires_ms: new Date(`${field("weekly-expires").value}T00:00`).getTime() || 0 };
}

function isWeekly() {
  return form.querySelector("[name=window]:checked").value === "weekly";
}

form.addEventListener("change", () => {
  field("window-once").hidden = isWeekly();
  field("window-weekly").hidden = !isWeekly();
});

function settle(status, said, bearer) {
  if (status === 200) {
    sessionStorage.setItem(TOKEN, bearer);
    part("title").textContent = `Done: ${action.label.toLowerCase()}`;
    part("explanation").textContent = `${said.message}. It is record ${said.seq}, by ${said.actor}.`;
    part("fields").hidden = part("again").hidden = doIt.hidden = true;
    part("trouble").textContent = "";
    part("cancel").textContent = "Close";
    part("title").focus();
    refresh();
    return;
  }
  const isToken = status === 401 || status === 403;
  if (isToken) {
    sessionStorage.removeItem(TOKEN);
    askToken(true);
  }
  part("fields").hidden = false;
  part("again").hidden = true;
  action.isAsked = false;
  doIt.textContent = action.label;
  trouble(`Not done: ${said.message}.`, isToken ? token : reason);
}
