// What the console gains from a script: live parts, suggestions, keys, menus that close, rows
// that are picked together. Every page works without it.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("script");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // On a narrow screen the tab one is on may stand beyond the edge of those before it.
  for (const tab of all(".tabs [aria-current]")) {
    tab.scrollIntoView({ block: "nearest", inline: "center" });
  }

  // Live parts: asked for again, and put in the place of the old.

  const EVERY_MS = 5000;
  let timer;
  let running = false;

  // A live part is not replaced under the hands of someone who is using it.
  const inUse = (part) => {
    const selection = document.getSelection();
    return (
      part.contains(document.activeElement) ||
      (selection && !selection.isCollapsed && part.contains(selection.anchorNode))
    );
  };

  const refresh = async () => {
    const parts = all("[data-refresh][id]");
    if (parts.length === 0 || document.hidden || running) return;
    running = true;
    try {
      const response = await fetch(location.href, {
        headers: { Accept: "text/html" },
        signal: AbortSignal.timeout(EVERY_MS * 2),
      });
      if (response.redirected) {
        // The session is over: the sign-in page says so.
        location.reload();
        return;
      }
      if (response.ok) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        for (const part of parts) {
          const fresh = page.getElementById(part.id);
          if (fresh && !inUse(part)) part.replaceWith(document.adoptNode(fresh));
        }
      }
      root.classList.toggle("stale", !response.ok);
    } catch {
      // The server is away; the page shows that it is old, and asks again.
      root.classList.add("stale");
    } finally {
      running = false;
      plan();
    }
  };

  const plan = () => {
    clearTimeout(timer);
    if (!document.hidden && document.querySelector("[data-refresh]")) {
      timer = setTimeout(refresh, EVERY_MS);
    }
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) refresh();
  });

  // A question before harm.

  document.addEventListener("submit", (event) => {
    const asked = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (asked && !window.confirm(asked)) event.preventDefault();
  });

  // Leaving a form that was filled in and not sent.

  let changed = false;
  document.addEventListener("input", (event) => {
    if (event.target.form?.hasAttribute("data-keep")) changed = true;
  });
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) changed = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (changed) event.preventDefault();
  });

  // A choice that sends its form.

  document.addEventListener("change", (event) => {
    if (event.target.hasAttribute("data-send")) event.target.form.requestSubmit();
  });

  // Menus: one at a time, closed from outside and by Escape.

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.menu[open]")) return;
    for (const other of all("details.menu[open]")) if (other !== event.target) other.open = false;
  }, true);
  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const toast = event.target.closest("[data-close]")?.closest(".notice");
    if (toast) toast.remove();
  });

  // The address forgets what was just said, so that a reload does not say it again.

  if (document.querySelector(".toasts .notice")) {
    const address = new URL(location.href);
    for (const name of ["done", "undo", "of"]) address.searchParams.delete(name);
    history.replaceState(null, "", address);
    const done = document.querySelector(".toasts .done");
    if (done && !done.querySelector("form")) setTimeout(() => done.remove(), 8000);
  }

  // Rows picked together.

  const picks = () => all(".pick input[data-row]");
  const count = () => {
    const bar = document.querySelector(".bulk");
    if (!bar) return;
    const picked = picks().filter((box) => box.checked).length;
    bar.dataset.count = picked;
    for (const place of all("[data-picked]", bar)) place.textContent = picked;
    const every = document.querySelector(".pick input[data-all]");
    if (!every) return;
    every.checked = picked > 0 && picked === picks().length;
    every.indeterminate = picked > 0 && !every.checked;
  };
  let last;
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.(".pick input");
    if (!box) return;
    if (box.hasAttribute("data-all")) {
      for (const other of picks()) other.checked = box.checked;
    } else if (event.shiftKey && last) {
      const boxes = picks();
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const other of boxes.slice(from, to + 1)) other.checked = box.checked;
    }
    last = box;
    count();
  });
  count();

  // Suggestions below the search.

  const search = document.querySelector("[data-search]");
  const list = document.querySelector(".suggestions");
  let asking;
  let wait;
  const suggest = async () => {
    const text = search.value.trim();
    asking?.abort();
    if (text.length < 2) {
      list.replaceChildren();
      return;
    }
    asking = new AbortController();
    try {
      const address = `/search/suggest?q=${encodeURIComponent(text)}`;
      const response = await fetch(address, { signal: asking.signal });
      if (!response.ok || response.redirected) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      list.replaceChildren(...page.body.children);
    } catch {
      // Another letter was typed, or the server is away: Enter still leads to the full search.
    }
  };
  if (search && list) {
    search.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(suggest, 150);
    });
    search.form.addEventListener("focusout", (event) => {
      if (!search.form.contains(event.relatedTarget)) list.replaceChildren();
    });
    search.form.addEventListener("focusin", () => {
      if (document.activeElement === search && !list.children.length) suggest();
    });
    search.form.addEventListener("keydown", (event) => {
      const links = [search, ...all("a", list)];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") {
        list.replaceChildren();
        search.focus();
      } else if (step && links.length > 1) {
        event.preventDefault();
        const at = links.indexOf(document.activeElement);
        links[(at + step + links.length) % links.length].focus();
      }
    });
  }

  // Records looked up while typing.

  document.addEventListener("input", (event) => {
    const options = event.target.list;
    const address = options?.dataset.lookup;
    const text = event.target.value.trim();
    if (!address || text.length < 2 || text.includes(" · ")) return;
    clearTimeout(wait);
    wait = setTimeout(async () => {
      try {
        const response = await fetch(`${address}?q=${encodeURIComponent(text)}`);
        if (!response.ok || response.redirected) return;
        const page = new DOMParser().parseFromString(
          `<datalist>${await response.text()}</datalist>`, "text/html");
        options.replaceChildren(...page.querySelectorAll("option"));
      } catch {
        // The server is away: the form itself will say what it finds.
      }
    }, 150);
  });

  // Columns moved by hand.

  let dragged;
  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".columns li");
    dragged?.classList.add("dragged");
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    dragged = undefined;
  });
  document.addEventListener("dragover", (event) => {
    const over = event.target.closest?.(".columns li");
    if (!dragged || !over || over === dragged || over.parentNode !== dragged.parentNode) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
    number(over.parentNode);
  });
  const number = (list) => {
    all("input[data-place]", list).forEach((input, n) => { input.value = n; });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".columns button");
    const item = button?.closest("li");
    if (!item) return;
    event.preventDefault();
    const other = button.name === "up" ? item.previousElementSibling : item.nextElementSibling;
    // The title stays first.
    if (other?.querySelector("button")) other[button.name === "up" ? "before" : "after"](item);
    number(item.parentNode);
    button.focus();
  });
  for (const item of all(".columns li")) item.draggable = true;

  // A secret copied by a button; it can be selected by hand just as well.

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) return;
    document.getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      // Not allowed, or the page is not secure: it is selected, ready for the reader's keys.
    }
  });

  // Boxes that stand for patterns: a row, a column, everything.

  const covers = (pattern, name) => {
    if (pattern === name) return false;
    if (pattern === "*") return true;
    const [group, verb] = pattern.split(".");
    const [ownGroup, ownVerb] = name.split(".");
    return (verb === "*" && group === ownGroup) || (group === "*" && verb === ownVerb);
  };
  document.addEventListener("change", (event) => {
    const box = event.target;
    const own = box.dataset?.right;
    const grid = own && box.closest("[data-rights]");
    if (!grid) return;
    const boxes = all("input[data-right]", grid).filter((other) => !other.disabled);
    const name = (other) => other.dataset.right;
    if (!box.checked) {
      // What includes it says too much now.
      for (const other of boxes) if (covers(name(other), own)) other.checked = false;
      if (own.startsWith("*.") || own.endsWith(".*")) {
        for (const other of boxes) if (name(other) === "*") other.checked = false;
      }
    }
    const held = boxes.filter((other) => other.checked && other !== box);
    for (const other of boxes) {
      if (!covers(own, name(other))) continue;
      other.checked = box.checked || held.some((one) => covers(name(one), name(other)));
    }
  });

  // A long list narrowed to what has some words.

  document.addEventListener("input", (event) => {
    const list = document.getElementById(event.target.dataset?.narrow ?? "");
    if (!list) return;
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (part) => words.every((word) => part.dataset.words.includes(word));
    for (const part of all("[data-words]", list)) {
      part.hidden = !fits(part);
      if (part.localName === "details" && words.length > 0 && !part.hidden) part.open = true;
    }
  });

  // A form whose answer is shown in its place.

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const place = document.getElementById(form.dataset?.into ?? "");
    if (!place || event.defaultPrevented) return;
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    place.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
      });
      if (response.redirected) {
        location.assign(response.url);
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById(place.id) ?? page.querySelector("main");
      place.replaceChildren(...document.adoptNode(fresh).childNodes);
    } catch {
      // The server is away: the browser says so better than we could.
      form.submit();
    } finally {
      place.removeAttribute("aria-busy");
      if (button) button.disabled = false;
    }
  });

  // Keys.

  const rows = () => all("main tbody tr").filter((row) => row.querySelector("th a, td a"));
  const move = (step) => {
    const lines = rows();
    if (lines.length === 0) return;
    const at = lines.findIndex((row) => row.classList.contains("here"));
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), lines.length - 1);
    lines[at]?.classList.remove("here");
    lines[next].classList.add("here");
    lines[next].scrollIntoView({ block: "nearest" });
  };
  const follow = (selector) => document.querySelector(selector)?.click();
  const KEYS = {
    "/": () => {
      search?.focus();
      search?.select();
    },
    "?": () => document.getElementById("keys")?.togglePopover(),
    n: () => follow("[data-new]"),
    e: () => follow("[data-edit]"),
    f: () => document.getElementById("filters")?.togglePopover(),
    j: () => move(1),
    k: () => move(-1),
    x: () => follow("tr.here .pick input"),
    Enter: () => follow("tr.here th a, tr.here td a"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = event.target.closest?.("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const field = event.target.closest("input, select, textarea, [contenteditable]");
    if (field && !field.matches("[type=checkbox], [type=radio]")) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary, input")) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  plan();
})();
