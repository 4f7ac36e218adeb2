// What every page may use: copy buttons, toasts, forms that send themselves, menus that close, tick-all boxes.
// Everything here is a convenience; the pages work without it.
(() => {
  "use strict";

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
