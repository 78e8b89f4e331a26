// Keys, the selection in the queues, and quiet updates of the lists. The pages work without it.
"use strict";
(() => {
  const SELECTED = "triage.selected", QUEUES = "triage.queues", KEYS_OFF = "triage.keys-off";
  const HAND_RESTS_AFTER = 10_000, CHORD_WITHIN = 1_500;
  const $ = (selector) => document.querySelector(selector);
  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const isVisible = (element) => element.getClientRects().length > 0;

  // --- the selection: a ticket id, so that it survives whatever moves around it -------------------------------
  const rows = () => $$(".rows > li").filter(isVisible);
  const link = (row) => row.querySelector("a.subject");
  let last = { id: sessionStorage.getItem(SELECTED), index: 0 };

  function selectedRow() {
    return rows().find((row) => row.dataset.ticket === last.id);
  }

  function select(row, { focus = true } = {}) {
    $$(".rows > li.selected").forEach((other) => other.classList.remove("selected"));
    if (!row) return;
    row.classList.add("selected");
    last = { id: row.dataset.ticket, index: rows().indexOf(row) };
    sessionStorage.setItem(SELECTED, last.id);
    if (!focus) return;
    link(row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = rows(), at = all.indexOf(selectedRow());
    const next = at < 0 ? Math.min(last.index, all.length - 1) : at + by;
    select(all[Math.max(0, Math.min(all.length - 1, next))]);
  }

  function reselect(focus) {
    const all = rows();
    if (last.id) select(selectedRow() || all[Math.min(last.index, all.length - 1)], { focus });
  }

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.(".rows > li");
    if (row) select(row, { focus: false });
  });

  // --- keys: an element says which key it answers to with data-key ---------------------------------------------
  const keysAreOff = () => localStorage.getItem(KEYS_OFF) === "1";
  const isTyping = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  let chord = 0;

  function press(element) {
    if (element.matches("summary")) return openMove(element.parentElement);
    if (element.matches("input")) return element.select() || element.focus();
    element.click();
  }

  function openMove(details) {
    details.open = true;
    details.querySelector("input[name=reason]").focus();
  }

  function onRow(key, row) {
    if (key === "Enter" && document.activeElement === document.body) link(row).click();
    if (key === "u") location.assign(`${link(row).href}#move`);
    if (key === "c") {
      const form = $("#row-action");
      form.action = `${link(row).href}confirm/?seen=${row.dataset.decision}`;
      form.submit();
    }
  }

  function escape(event) {
    if ($("dialog[open]")) return;
    const open = $("details.move[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (isTyping(event.target)) {
      event.target.blur();
    } else if ($("[data-back]") && !keysAreOff()) {
      location.assign($("[data-back]").href);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return escape(event);
    if (keysAreOff() || isTyping(event.target) || $("dialog[open]")) return;
    const isChord = Date.now() - chord < CHORD_WITHIN;
    chord = event.key === "g" ? Date.now() : 0;
    const element = $$("[data-key]").find((candidate) => candidate.dataset.key === event.key && isVisible(candidate));
    if (isChord && event.key === "q" && $("[data-queues]")) location.assign($("[data-queues]").href);
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (element) press(element);
    else if (selectedRow()) return onRow(event.key, selectedRow());
    else return;
    event.preventDefault();
  });

  // --- the list of keys, and turning them off (WCAG 2.1.4) -----------------------------------------------------
  const dialogButton = $("[data-opens]"), toggle = $("[data-keys-on]");
  dialogButton?.addEventListener("click", () => document.getElementById(dialogButton.dataset.opens).showModal());
  if (toggle) {
    toggle.checked = !keysAreOff();
    toggle.addEventListener("change", () => localStorage.setItem(KEYS_OFF, toggle.checked ? "0" : "1"));
  }
  $("details.move")?.addEventListener("toggle", (event) => event.target.open && openMove(event.target));
  document.addEventListener("submit", (event) => {
    // A second click while the first is on its way sends nothing twice.
    if (event.target.dataset.sent) event.preventDefault();
    if (event.target.method === "post") event.target.dataset.sent = "1";
  });

  // --- quiet updates: nothing moves under the reader's hand ---------------------------------------------------
  let hand = { at: 0, isOnRow: false };
  document.addEventListener("pointermove", (event) => {
    hand = { at: Date.now(), isOnRow: Boolean(event.target.closest?.(".rows > li")) };
  });
  document.addEventListener("pointerleave", () => (hand.isOnRow = false));
  document.addEventListener("keydown", () => (hand.isOnRow = false));

  let held = false, focused = null, counts = null;
  const handHolds = () => hand.isOnRow && Date.now() - hand.at < HAND_RESTS_AFTER;
  const say = (id, text) => $(id) && ($(id).textContent = text);
  const readCounts = () => $$(".queue").map((queue) => `${queue.dataset.queue}: ${queue.dataset.count}`).join(", ");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (xhr.status === 200 && new URL(xhr.responseURL).pathname === "/login/") return location.reload();
    if (target.id !== "lists" || xhr.status !== 200) return;
    if (handHolds() && !held) {
      event.detail.shouldSwap = false;
      $("#hold").hidden = false;
      return;
    }
    focused = target.contains(document.activeElement) ? document.activeElement.id : null;
    counts = readCounts();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id !== "lists" && event.detail.target?.id !== "lists") return;
    held = false;
    $("#hold").hidden = true;
    const before = focused && document.getElementById(focused);
    if (before) before.focus({ preventScroll: true });
    reselect(Boolean(focused) && !before);
    if (counts !== readCounts()) say("#news", readCounts());
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.id === "lists") say("#connection", event.detail.failed ? "No connection; trying again." : "");
  });
  $("#hold")?.addEventListener("click", () => {
    held = true;
    htmx.trigger("#lists", "refresh");
  });
  const refresh = () => !document.hidden && $("#lists") && htmx.trigger("#lists", "refresh");
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    // Back at a page that was left by a form: it may be sent again.
    $$("form[data-sent]").forEach((form) => delete form.dataset.sent);
    refresh();
  });

  // --- paper: a page says when it was printed, beside when it was made ------------------------------------------
  $$("[data-prints]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });
  addEventListener("beforeprint", () => {
    const now = new Date().toISOString().slice(0, 19).replace("T", " ");
    $$("[data-printed]").forEach((place) => (place.textContent = `, printed at ${now} UTC`));
  });

  // --- when a page opens ---------------------------------------------------------------------------------------
  if ($("#lists")) {
    sessionStorage.setItem(QUEUES, location.href);
    reselect(document.activeElement === document.body);
  } else if (sessionStorage.getItem(QUEUES)) {
    $$("[data-queues]").forEach((to) => (to.href = sessionStorage.getItem(QUEUES)));
  }
  if (location.hash === "#move" && $("#move")) openMove($("#move"));
})();
