// Where the focus is: its place among all that can have it, and whether one sees it.
const every =
  "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0'], [contenteditable=true]";
const usable = [...document.querySelectorAll(every)].filter(
  (element) => !element.disabled && element.tabIndex >= 0 && element.checkVisibility({ visibilityProperty: true }),
);
// One button of a group of radio buttons is a stop, the arrow keys go to the others: the one that
// is chosen, or else the first.
const able = usable.filter((element) => {
  if (!element.matches("[type=radio]")) return true;
  const group = usable.filter((other) => other.matches("[type=radio]") && other.name === element.name && other.form === element.form);
  return (group.find((other) => other.checked) ?? group[0]) === element;
});
const element = document.activeElement;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
const middle = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, innerHeight) / 2);
// The middle of a link that breaks over two lines may be beside it.
const beside = element.getClientRects().length > 1;
const text = (element.getAttribute("aria-label") ?? element.textContent ?? "").replace(/\s+/g, " ").trim();
return {
  at: able.indexOf(element),
  of: able.length,
  what: `<${element.localName}${element.id ? ` id=${element.id}` : ""}> “${text.slice(0, 40)}”`,
  // A date has a stop for each of its parts, and marks them itself.
  parts: element.matches("[type=date], [type=datetime-local], [type=month], [type=time], [type=week]"),
  ring: ring || style.boxShadow !== "none",
  open: beside || element === middle || element.contains(middle) || (middle?.contains(element) ?? false),
};
