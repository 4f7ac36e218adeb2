// What every page may use: copy buttons, toasts, forms that send themselves, menus that close, tick-all boxes.
// Everything here is a convenience; the pages work without it.
(() => {
  "use strict";

  const VISIT = "a[href], button, input, select, textarea, summary, [tabindex]";
  const SCROLLS = ".scroll, .code, .capped, .log";

  // [name, node] of each node: what it says, and the how manieth of those that say the same.
  const named = (root, selector) => {
    const seen = new Map();
    return [...root.querySelectorAll(selector)].map((node) => {
      const words = `${node.tagName} ${node.name || ""} ${node.getAttribute("aria-label") || node.value || node.textContent.trim().slice(0, 80)}`;
      seen.set(words, (seen.get(words) || 0) + 1);
      return [`${words} ${seen.get(words)}`, node];
    });
  };

  // A piece of a page that refreshes itself must not close a menu, untick a box, empty a field or take the keyboard away
  // from under somebody's hand. What a reader has changed in it is noted before the swap and put back after it.
  const noted = (root) => {
    const opened = named(root, "details").map(([name, node]) => [name, node.open]);
    const boxes = named(root, 'input[type="checkbox"]').filter(([, box]) => box.checked !== box.defaultChecked).map(([name, box]) => [name, box.checked]);
    const texts = [...root.querySelectorAll('input:not([type]), input[type="text"], input[type="search"], textarea')].filter((field) => field.name && field.value !== field.defaultValue).map((field) => [field.name, field.value]);
    const scrolled = named(root, SCROLLS).filter(([, node]) => node.scrollTop || node.scrollLeft).map(([name, node]) => [name, node.scrollTop, node.scrollLeft]);
    const focused = root.contains(document.activeElement) && document.activeElement !== root ? named(root, VISIT).find(([, node]) => node === document.activeElement)?.[0] : null;
    return { opened, boxes, texts, scrolled, focused };
  };

  const restore = (root, { opened, boxes, texts, scrolled, focused }) => {
    const put = (selector, rows, act) => { if (rows.length) { const now = new Map(named(root, selector)); rows.forEach(([name, ...values]) => now.has(name) && act(now.get(name), ...values)); } };
    put("details", opened, (node, open) => { node.open = open; });
    put('input[type="checkbox"]', boxes, (box, checked) => { box.checked = checked; });
    texts.forEach(([name, value]) => { const field = [...root.querySelectorAll("input, textarea")].find((one) => one.name === name); if (field) field.value = value; });
    put(SCROLLS, scrolled, (node, top, left) => node.scrollTo(left, top));
    if (focused) new Map(named(root, VISIT)).get(focused)?.focus({ preventScroll: true });
  };

  const swaps = [];
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { target, shouldSwap, requestConfig } = event.detail;
    // What somebody asked for by a click is new to them; only what comes by itself is a refreshment.
    if (!shouldSwap || !target.parentNode || requestConfig?.triggeringEvent?.isTrusted) return;
    swaps.push({ target, parent: target.parentNode, place: [...target.parentNode.children].indexOf(target), state: noted(target) });
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    for (const { target, parent, place, state } of swaps.splice(0)) {
      const root = target.isConnected ? target : parent.children[place];
      if (root) restore(root, state);
    }
  });

  const show = (root) => root.querySelectorAll("[data-copy][hidden], [data-script-only][hidden]").forEach((node) => { node.hidden = false; });

  const toast = (message, tone) => {
    const place = document.querySelector(".toasts");
    if (!place) return;
    const node = document.createElement("div");
    node.className = tone || "ok";
    node.textContent = message;
    place.append(node);
    setTimeout(() => node.remove(), 6000);
  };

  // data-copy is the text itself, or "#id" of the element that holds it.
  const textOf = (button) => {
    const source = button.dataset.copy.startsWith("#") && document.querySelector(button.dataset.copy);
    return source ? source.textContent : button.dataset.copy;
  };

  const copy = async (button) => {
    const text = textOf(button);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("done");
    toast("Copied", "ok");
    setTimeout(() => button.classList.remove("done"), 1500);
  };

  // How many rows are ticked decides which bulk buttons can be pressed: data-needs="1" or "2".
  const count = (form) => {
    const ticked = [...document.querySelectorAll(`input[name="run"][form="${form.id}"], #${form.id} input[name="run"]`)].filter((box) => box.checked).length;
    document.querySelectorAll(`[data-needs][form="${form.id}"], #${form.id} [data-needs]`).forEach((button) => {
      button.disabled = ticked < Number(button.dataset.needs);
    });
    document.querySelectorAll(`[data-ticked="${form.id}"]`).forEach((node) => { node.textContent = ticked ? `${ticked} selected` : ""; });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) return void copy(button);
    document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.dataset.tickAll !== undefined) {
      field.closest("table").querySelectorAll('tbody input[type="checkbox"]').forEach((box) => { box.checked = field.checked; });
    }
    const form = field.form;
    if (form && form.dataset.bulk !== undefined) count(form);
    if (field.dataset.send !== undefined && form) form.requestSubmit();
  });
  document.body.addEventListener("toast", (event) => toast(event.detail.message, event.detail.tone));
  document.body.addEventListener("htmx:responseError", () => toast("The server did not accept this. Reload the page and try again.", "bad"));
  document.body.addEventListener("htmx:afterSettle", (event) => show(event.target));
  // A table that refreshes itself waits while something in it is ticked: the ticks would be lost.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const table = event.target;
    if (table.dataset.keepTicked !== undefined && table.querySelector('input[type="checkbox"]:checked')) event.preventDefault();
  });
  document.body.addEventListener("htmx:afterSettle", () => document.querySelectorAll("form[data-bulk]").forEach(count));
  // A fragment that has not changed is answered 204 or 304; neither is an error, and neither swaps.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 304) event.detail.isError = false;
  });
  // On a phone the tabs scroll sideways: the one that is open comes into view, and the page stays at its top.
  document.querySelectorAll(".tabs [aria-current], .rail [aria-current]").forEach((node) => {
    const strip = node.closest(".tabs, .rail");
    strip.scrollLeft = node.offsetLeft - strip.offsetLeft - (strip.clientWidth - node.offsetWidth) / 2;
  });
  show(document);
  document.querySelectorAll("form[data-bulk]").forEach(count);
})();
