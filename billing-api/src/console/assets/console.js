// What the console gains from a script: live parts, a question before harm, a key for search.
// Every page works without it.
"use strict";

(() => {
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
    const parts = [...document.querySelectorAll("[data-refresh][id]")];
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
      document.documentElement.classList.toggle("stale", !response.ok);
    } catch {
      // The server is away; the page shows that it is old, and asks again.
      document.documentElement.classList.add("stale");
    } finally {
      running = false;
      plan();
    }
  };

  const plan = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) refresh();
  });

  document.addEventListener("submit", (event) => {
    const asked = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (asked && !window.confirm(asked)) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  if (document.querySelector("[data-refresh]")) plan();
})();
