// Update the page without rebuilding it: focus is kept, and unchanged nodes are not touched.

const SVG = 'http://www.w3.org/2000/svg';

/** Make an element with attributes and children; a `text` is its text, an `on…` a listener. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'text') node.textContent = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/** Make an icon (`icons.js`), hidden from screen readers. */
export function drawing(paths, viewBox = '0 0 24 24') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', viewBox);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  for (const d of [paths].flat()) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/** Set a text if it differs. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a text; parts between backticks become code. */
export function prose(node, text) {
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren(...text.split('`').map((part, index) => (index % 2 ? make('code', { text: part }) : part)));
}

/** Set attributes that differ; null removes one. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      if (node.hasAttribute(name)) node.removeAttribute(name);
    } else if (node.getAttribute(name) !== String(value)) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
}

/**
 * Show a list: one node per item, kept by its key, in the items' order.
 *
 * @param {Element} parent
 * @param {any[]} items
 * @param {(item: any) => string} keyOf
 * @param {(item: any) => Element} begin makes an item's node
 * @param {(node: any, item: any) => void} update writes what may change
 */
export function list(parent, items, keyOf, begin, update) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = known.get(key);
    if (!node) {
      node = begin(item);
      node.dataset.key = key;
    }
    known.delete(key);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    update(node, item);
  }
  for (const node of known.values()) node.remove();
}
