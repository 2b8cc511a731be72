// What stands between a page and its readers: returns one sentence for each fault it finds.
// Reads the page and never changes it.
//
// Backgrounds are those of the elements around a text; one laid over another from elsewhere in
// the page is not seen.
const faults = new Set();
const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const call = (element) => {
  const id = element.id ? ` id=${element.id}` : "";
  return `<${element.localName}${id}> “${words(element.textContent).slice(0, 40)}”`;
};
const fault = (what, element) => faults.add(element ? `${what}: ${call(element)}` : what);
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (element) => {
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  const box = element.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
};

// --- Colours ---

const paint = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const colours = new Map();
// Any colour CSS can write, as red, green, blue in 0…255 and alpha in 0…1.
const colour = (text) => {
  if (!colours.has(text)) {
    const plain = text.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (plain) {
      colours.set(text, [+plain[1], +plain[2], +plain[3], +(plain[4] ?? 1)]);
    } else {
      paint.clearRect(0, 0, 1, 1);
      paint.fillStyle = text;
      paint.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
      colours.set(text, [red, green, blue, alpha / 255]);
    }
  }
  return colours.get(text);
};
const over = ([r, g, b, a], ground) => [
  ...[r, g, b].map((part, n) => part * a + ground[n] * (1 - a)),
  1,
];
// WCAG 2.2, "relative luminance" and "contrast ratio".
const luminance = (parts) => {
  const [r, g, b] = parts.slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const paper = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
// What lies behind an element's content; nothing where a picture does.
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (style.backgroundImage !== "none" && !at.matches("select, input")) return undefined;
    const layer = colour(style.backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reduceRight((below, layer) => over(layer, below), paper);
};
const opacity = (element) => {
  let share = 1;
  for (let at = element; at; at = at.parentElement) share *= +getComputedStyle(at).opacity;
  return share;
};
const legible = (element, style, what) => {
  const behind = ground(element);
  if (!behind) return fault(`${what} lies on a picture`, element);
  const own = colour(element instanceof SVGElement ? style.fill : style.color);
  const ratio = contrast(over([...own.slice(0, 3), own[3] * opacity(element)], behind), behind);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
  // WCAG 2.2, 1.4.3.
  const least = large ? 3 : 4.5;
  if (ratio < least) fault(`${what} has a contrast of ${ratio.toFixed(2)}, not ${least}`, element);
};

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!words(texts.currentNode.data) || seen.has(element) || element.closest("option")) continue;
  seen.add(element);
  if (!shown(element) || element.closest(":disabled, [aria-disabled=true]")) continue;
  legible(element, getComputedStyle(element), "text");
}
for (const element of all("body *")) {
  for (const pseudo of ["::before", "::after"]) {
    const style = getComputedStyle(element, pseudo);
    if (/^(none|normal|""|counter.*)$/.test(style.content) || style.display === "none") continue;
    if (shown(element)) legible(element, style, `text ${pseudo}`);
  }
}
const fields = all("input:not([type=hidden]), select, textarea").filter(shown);
for (const field of fields.filter((field) => !field.disabled)) {
  const style = getComputedStyle(field);
  if (!field.matches("[type=checkbox], [type=radio], [type=range], [type=color]")) {
    legible(field, style, "what is typed");
    if (field.placeholder) legible(field, getComputedStyle(field, "::placeholder"), "placeholder");
    // WCAG 2.2, 1.4.11: one must see where the field is.
    const around = ground(field.parentElement) ?? paper;
    const edge = parseFloat(style.borderBottomWidth) > 0 ? colour(style.borderBottomColor) : [0, 0, 0, 0];
    const inside = ground(field) ?? paper;
    const ratio = Math.max(contrast(over(edge, around), around), contrast(inside, around));
    if (ratio < 3) fault(`the edge of a field has a contrast of ${ratio.toFixed(2)}, not 3`, field);
  }
}

// --- Names ---

const named = (element) => {
  const others = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
  const names = [
    element.getAttribute("aria-label"),
    ...others.map((id) => document.getElementById(id)?.textContent),
    ...[...(element.labels ?? [])].map((label) => label.textContent),
  ];
  return names.some((name) => words(name));
};
const inner = (element) =>
  words(element.textContent) || [...element.querySelectorAll("img[alt]")].some((img) => words(img.alt));
for (const field of fields) {
  if (!named(field) && !field.matches("[type=submit], [type=button]")) fault("a field has no label", field);
}
for (const element of all("button, a[href], summary").filter(shown)) {
  if (!named(element) && !inner(element)) fault("nothing says what this does", element);
}
for (const img of all("img:not([alt])")) fault("a picture has no text beside it", img);
for (const table of all("table").filter(shown)) {
  if (!named(table) && !words(table.caption?.textContent)) fault("a table has no name", table);
  if (!table.querySelector("th")) fault("a table has no headers", table);
}
const ids = new Set();
for (const element of all("[id]")) {
  if (ids.has(element.id)) fault(`the id ${element.id} is given twice`);
  ids.add(element.id);
}
for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"]) {
  for (const element of all(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/).filter(Boolean)) {
      if (!ids.has(id)) fault(`${attribute} names ${id}, which is not there`, element);
    }
  }
}

// --- The page as a whole ---

if (!/^[a-z]{2,3}(-|$)/i.test(document.documentElement.lang)) fault("the page has no language");
if (!words(document.title)) fault("the page has no title");
const one = (what, selector) => {
  const found = all(selector).filter((element) => element.checkVisibility()).length;
  if (found !== 1) fault(`the page has ${found} ${what}, not one`);
};
one("main heading", "h1");
one("main part", "main");
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6").filter((h) => h.checkVisibility())) {
  const own = +heading.localName[1];
  if (own > level + 1) fault(`a heading of level ${own} follows one of level ${level}`, heading);
  level = own;
}

const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) {
  const wide = all("body *").filter((element) => element.getBoundingClientRect().right > width + 0.5);
  fault(`the page is ${document.documentElement.scrollWidth} wide on ${width}`, wide.at(-1));
}
// WCAG 2.2, 2.5.8: what is pressed with a finger is no smaller than this, its label counted.
for (const target of all("button, input:not([type=hidden]), select, textarea, nav a, summary").filter(shown)) {
  const boxes = [target, ...(target.labels ?? [])].map((part) => part.getBoundingClientRect());
  const large = boxes.some((box) => box.width >= 24 && box.height >= 24);
  if (!large && !target.disabled) fault("too small for a finger", target);
}

return [...faults];
