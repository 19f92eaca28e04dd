// Live updates: the sidecar sends an event when something changed; the script fetches the page and changes in place what
// differs. Focus, selection, scroll positions, open details and entered text stay. Without this script the page is
// complete, and as old as its header states.

/* global Idiomorph */

const STALE_MS = 15_000;
const updates = document.getElementById("updates");
const updatesText = document.getElementById("updates-text");

// --- live updates

let isFetching = false;
let isWanted = false;
let receivedAt = Date.now();

function show(state, text) {
  updates.dataset.state = state;
  if (updatesText.textContent !== text) updatesText.textContent = text;
}

function received() {
  receivedAt = Date.now();
  show("live", "Live.");
}

function lost() {
  const seconds = Math.round((Date.now() - receivedAt) / 1000);
  show("lost", `No update for ${seconds} s: this page may be out of date.`);
}

// The browser itself parses the page, into a document in which no script runs.
function fetchPage() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(new Error(`${request.status}`)));
    request.onerror = request.ontimeout = () => reject(new Error("no response"));
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
    update(await fetchPage());
    received();
  } catch {
    lost();
  }
  isFetching = false;
  if (isWanted) {
    isWanted = false;
    refresh();
  }
}

function update(page) {
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(section.id);
    if (fresh) change(section, fresh);
  }
  if (document.title !== page.title) document.title = page.title;
}

function change(section, fresh) {
  reveal(fresh);
  const focused = focusedAndNext(section);
  Idiomorph.morph(section, fresh, { restoreFocus: false, callbacks: { beforeAttributeUpdated, beforeNodeMorphed, beforeNodeRemoved } });
  if (focused.length && document.activeElement !== focused[0]) focusInstead(focused, section);
}

// What a user opened or entered is not the sidecar's to change.
function beforeAttributeUpdated(name, element) {
  return !(name === "open" && element.localName === "details") && !["value", "checked", "tabindex"].includes(name);
}

// Text that is selected must not be changed; everything around it is.
function beforeNodeMorphed(node) {
  return node.nodeType !== Node.TEXT_NODE || !isSelected(node);
}

function beforeNodeRemoved(node) {
  return !isSelected(node);
}

function isSelected(node) {
  const selection = document.getSelection();
  return Boolean(selection) && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(node);
}

// The focused element is gone: Tab continues from the one that took its place, or from the section's heading.
function focusInstead(next, section) {
  if (document.querySelector("dialog[open]")) return;
  const place = next.find((element) => element.isConnected) ?? section.querySelector("h2");
  if (place?.localName === "h2") place.setAttribute("tabindex", "-1");
  place?.focus({ preventScroll: true });
}

function focusedAndNext(section) {
  const places = [...section.querySelectorAll("a[href], button, summary, input, [tabindex]")];
  const at = places.indexOf(document.activeElement);
  return at < 0 ? [] : [...places.slice(at), ...places.slice(0, at).reverse()];
}

function reveal(root) {
  for (const buttons of root.querySelectorAll(".buttons[hidden]")) buttons.hidden = false;
}

function connect() {
  const stream = new EventSource("/api/stream");
  stream.onmessage = refresh;
  stream.onerror = () => {
    lost();
    if (stream.readyState !== EventSource.CLOSED) return; // the browser reconnects
    refresh(); // refused, because too many are open: fetch every 5 s instead
    setTimeout(connect, 5000);
  };
}

setInterval(() => {
  if (!document.hidden && Date.now() - receivedAt > STALE_MS) lost();
}, 1000);
document.addEventListener("visibilitychange", refresh);
reveal(document);
connect();

// --- actions

const TOKEN = "operator-token";
const dialog = document.getElementById("dialog");
const form = document.getElementById("action-form");
const part = (name) => document.getElementById(`dialog-${name}`);
const reason = document.getElementById("reason");
const token = document.getElementById("token");
const forget = document.getElementById("token-forget");
const submit = part("submit");
const field = (id) => document.getElementById(id);
let action = null; // the button's data and label, and the state of the dialog

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) open(button);
});

function open(button) {
  action = { ...button.dataset, label: button.textContent.trim(), id: button.id, isConfirming: false };
  part("title").textContent = action.label;
  part("explanation").textContent = action.explanation;
  part("error").textContent = "";
  part("confirmation").hidden = true;
  part("fields").hidden = false;
  part("cancel").textContent = "Cancel";
  submit.textContent = action.label;
  submit.hidden = false;
  submit.toggleAttribute("data-danger", Boolean(action.confirmation));
  reason.value = "";
  field("replace").checked = false;
  const fields = (action.fields ?? "").split(" ");
  for (const name of ["release", "name", "replace", "window", "user"]) field(`field-${name}`).hidden = !fields.includes(name);
  askToken(!sessionStorage.getItem(TOKEN));
  dialog.showModal();
  field(["name", "release", "user"].find((name) => fields.includes(name)) ?? "reason").focus();
}

function askToken(isNeeded) {
  document.getElementById("token-asked").hidden = !isNeeded;
  forget.hidden = isNeeded;
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
    showError(missing === reason ? "Enter a reason: it is kept in the record." : "Enter an operator token.", missing);
  } else if (action.confirmation && !action.isConfirming) {
    confirm();
  } else {
    send();
  }
});

function showError(words, field) {
  part("error").textContent = words;
  field?.focus();
}

function confirm() {
  action.isConfirming = true;
  part("error").textContent = "";
  part("fields").hidden = true;
  part("confirmation").textContent = action.confirmation;
  part("confirmation").hidden = false;
  submit.textContent = `Yes: ${action.label.toLowerCase()}`;
  part("cancel").textContent = "No";
  part("cancel").focus();
}

async function send() {
  const bearer = token.value || sessionStorage.getItem(TOKEN);
  submit.disabled = true;
  try {
    const response = await fetch(`/api/${action.action}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" },
      body: JSON.stringify(body()),
      signal: AbortSignal.timeout(15_000),
    });
    settle(response.status, await response.json(), bearer);
  } catch {
    showError("The sidecar did not respond. Check the log below for whether the action was recorded.");
  }
  submit.disabled = false;
}

// The body of the request. The sidecar validates the fields and returns the error.
function body() {
  const result = { reason: reason.value.trim() };
  if (action.action === "approve") return { ...result, rung: Number(action.rung), epoch: Number(action.epoch) };
  if (action.action === "resume") return { ...result, hold: Number(action.hold) };
  if (action.action === "thaw") return { ...result, name: action.name };
  if (action.action === "clear_override") return { ...result, override: Number(action.override) };
  if (action.action === "override") {
    const lasts_ms = Math.round(3_600_000 * Number(field("override-hours").value));
    return { ...result, user: field("user").value.trim(), mode: field("mode").value, lasts_ms };
  }
  if (action.action === "note") return { ...result, release: field("release").value.trim() || null };
  if (action.action === "freeze") return { ...result, name: field("name").value.trim(), replace: field("replace").checked, ...freezeWindow() };
  return result;
}

function freezeWindow() {
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

function settle(status, result, bearer) {
  if (status === 200) {
    sessionStorage.setItem(TOKEN, bearer);
    part("title").textContent = `Done: ${action.label.toLowerCase()}`;
    part("explanation").textContent = `${result.message}. Record ${result.seq}, by ${result.actor}.`;
    part("fields").hidden = part("confirmation").hidden = submit.hidden = true;
    part("error").textContent = "";
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
  part("confirmation").hidden = true;
  action.isConfirming = false;
  submit.textContent = action.label;
  showError(`Not done: ${result.message}.`, isToken ? token : reason);
}
