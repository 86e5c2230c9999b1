// Keeps a page true: says when the monitor no longer answers, and does not take away what somebody is busy with.
"use strict";

(() => {
  const RELOAD_MS = 30000;

  const isOld = (old) => {
    document.body.classList.toggle("old", old);
    document.getElementById("stale").hidden = !old;
  };

  const isBusy = () => {
    const live = document.getElementById("live");
    const selection = document.getSelection();
    return (
      (selection && !selection.isCollapsed && live.contains(selection.anchorNode)) ||
      live.contains(document.activeElement) && document.activeElement.matches("input, select, button") ||
      live.querySelector("details[open]") !== null
    );
  };

  const showIcon = () => {
    const icon = document.querySelector("link[rel=icon]");
    icon.href = icon.dataset[document.getElementById("verdict").dataset.level];
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isBusy()) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    // Any answer that is a page of ours is true, the one that says that the bus is down too.
    isOld(event.detail.xhr.status === 0 || !event.detail.xhr.responseText.includes('id="live"'));
  });
  document.addEventListener("htmx:afterSettle", showIcon);

  if (!window.htmx && document.getElementById("live").hasAttribute("hx-get")) {
    window.setInterval(() => isBusy() || window.location.reload(), RELOAD_MS);
  }
})();
