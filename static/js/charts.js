// Draws <div class="chart" data-figure-url="…">: asks for the figure's JSON ({data, layout, final}) when the chart
// comes into view, asks again (?from=&to=) when the reader zooms in, and, with data-live="<milliseconds>", keeps
// asking while the run goes on. Zoom, hidden series and the page's scroll survive every one of these.
(() => {
  "use strict";
  const charts = new Map();
  let library = null;

  // plotly.js writes style="" on the steps of a colour bar. The policy refuses any style attribute that is written as
  // text, with a line in the console; an empty one says nothing, so it is taken away instead.
  const withoutEmptyStyles = () => {
    const set = SVGElement.prototype.setAttribute;
    SVGElement.prototype.setAttribute = function setAttribute(name, value) {
      if (name === "style" && value === "") this.removeAttribute("style");
      else set.call(this, name, value);
    };
  };

  const plotly = () => {
    library ??= new Promise((resolve, reject) => {
      if (window.Plotly) return resolve(window.Plotly);
      // plotly.js 4.1 brings the stylesheet of its maps, which we don't draw, and writes it into the page unless an element
      // of this id is there; our Content-Security-Policy would refuse it with a line in the console.
      const maps = document.createElement("template");
      maps.id = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
      document.head.append(maps);
      const script = document.createElement("script");
      script.src = document.querySelector('meta[name="plotly-source"]').content;
      script.onload = () => { withoutEmptyStyles(); resolve(window.Plotly); };
      script.onerror = () => { library = null; reject(new Error("The chart library did not load.")); };
      document.head.append(script);
    });
    return library;
  };

  // Colours come from the page's own tokens, so a chart is dark where the page is.
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      gridcolor: token("grid-line"), linecolor: token("line-strong"), zerolinecolor: token("line-strong"), zerolinewidth: 1,
      tickfont: { color: token("text-3"), size: 11 }, title: { font: { color: token("text-2"), size: 12 }, standoff: 8 },
      automargin: true, ticks: "outside", ticklen: 5, tickcolor: "rgba(0,0,0,0)", showline: false,
    };
    const scale = [[0, token("surface-3")], [1, token("scale-high")]];
    return {
      data: { heatmap: [{ colorscale: scale, autocolorscale: false, colorbar: { tickfont: { color: token("text-3"), size: 11 } } }] },
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: token("font"), color: token("text"), size: 12 },
        title: { font: { size: 13, color: token("text") }, x: 0, xanchor: "left", xref: "paper" },
        colorway: Array.from({ length: 10 }, (_, index) => token(`series-${index + 1}`)),
        hoverlabel: { bgcolor: token("surface"), bordercolor: token("line-strong"), font: { color: token("text"), family: token("font"), size: 12 } },
        legend: { orientation: "h", x: 0, y: -0.18, font: { color: token("text-2"), size: 11 }, bgcolor: "rgba(0,0,0,0)" },
        margin: { l: 48, r: 12, t: 12, b: 36 },
        hovermode: "closest", xaxis: axis, yaxis: axis, dragmode: "zoom",
        modebar: { bgcolor: "rgba(0,0,0,0)", color: token("text-3"), activecolor: token("text") },
      },
    };
  };

  const CONFIG = {
    displaylogo: false, responsive: true, doubleClick: "reset",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "toggleSpikelines"],
  };

  const asNumber = (value, type) => {
    if (type === "date") return typeof value === "number" ? value / 1000 : Date.parse(`${String(value).replace(" ", "T")}Z`) / 1000;
    return type === "log" ? 10 ** Number(value) : Number(value);
  };

  class Chart {
    constructor(node) {
      this.node = node;
      this.range = null;
      this.tag = null;
      this.visible = false;
      this.final = node.dataset.live === undefined;
      this.sequence = 0;
      this.say("loading", "Loading…");
    }

    say(kind, text) {
      this.node.querySelectorAll(":scope > .loading, :scope > .problem").forEach((old) => old.remove());
      if (!text) return;
      const line = document.createElement("div");
      line.className = kind;
      line.textContent = text;
      this.node.append(line);
    }

    address() {
      const url = new URL(this.node.dataset.figureUrl, location.href);
      if (this.range && this.node.dataset.requery !== undefined) {
        url.searchParams.set("from", this.range[0]);
        url.searchParams.set("to", this.range[1]);
      }
      return url;
    }

    async load() {
      const turn = ++this.sequence;
      clearTimeout(this.timer);
      try {
        const address = this.address().href;
        const headers = this.tag && this.tag.address === address ? { "If-None-Match": this.tag.value } : {};
        const response = await fetch(address, { headers, credentials: "same-origin", cache: "no-store" });
        if (turn !== this.sequence) return;
        if (response.status === 200) {
          const figure = await response.json();
          if (turn !== this.sequence) return;
          const value = response.headers.get("ETag");
          this.tag = value ? { address, value } : null;
          await this.draw(figure);
        } else if (response.status !== 304 && response.status !== 204) {
          let message = `The server answered ${response.status}.`;
          try { message = (await response.json()).error.message; } catch { /* not JSON: the status says it */ }
          this.say("problem", message);
        }
      } catch (problem) {
        if (!this.drawn) this.say("problem", `The chart could not be drawn: ${problem.message}`);
      }
      if (!this.final && turn === this.sequence) this.timer = setTimeout(() => this.again(), Number(this.node.dataset.live) || 2000);
    }

    again() {
      if (!this.node.isConnected) return this.end();
      if (this.visible && !document.hidden) this.load();
      else this.timer = setTimeout(() => this.again(), 1000);
    }

    async draw(figure) {
      const Plotly = await plotly();
      if (figure.final !== undefined) this.final = figure.final;
      if (this.final) delete this.node.dataset.live;
      this.figure = figure;
      const layout = { ...figure.layout, template: theme(), uirevision: `reader-${this.generation || 0}`, autosize: true };
      // Plotly asks for {} in its own copies: give each axis a fresh object, so that a zoom is never written into ours.
      for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) layout[key] = { ...layout[key] };
      this.say("loading", "");
      this.node.querySelectorAll(":scope > noscript").forEach((old) => old.remove());
      // meta.color is a place in the page's colours: curves that belong together share one.
      const colors = layout.template.layout.colorway;
      for (const trace of figure.data) {
        if (trace.meta === undefined || trace.meta.color === undefined) continue;
        const color = colors[trace.meta.color % colors.length];
        trace.line = { ...trace.line, color };
        if (!trace.marker || trace.marker.color === undefined || trace.meta.painted) { trace.marker = { ...trace.marker, color }; trace.meta.painted = true; }
        if (trace.type === "bar") delete trace.line;
      }
      await Plotly.react(this.node, figure.data, layout, { ...CONFIG, ...(figure.config || {}) });
      if (!this.drawn) {
        this.drawn = true;
        this.node.setAttribute("role", "group"); // it has buttons now: no longer an image
        this.node.on("plotly_relayout", (change) => this.zoomed(change));
        this.node.on("plotly_click", (event) => {
          const address = event.points[0] && event.points[0].customdata;
          if (this.node.dataset.opens !== undefined && typeof address === "string" && address.startsWith("/")) location.assign(address);
        });
      }
      this.node.dataset.drawn = String(Number(this.node.dataset.drawn || 0) + 1);
    }

    zoomed(change) {
      const type = this.node._fullLayout.xaxis && this.node._fullLayout.xaxis.type;
      const pair = change["xaxis.range"] || (change["xaxis.range[0]"] !== undefined && [change["xaxis.range[0]"], change["xaxis.range[1]"]]);
      if (pair) this.range = [asNumber(pair[0], type), asNumber(pair[1], type)];
      else if (change["xaxis.autorange"]) this.range = null;
      else return;
      if (this.node.dataset.requery === undefined) return;
      clearTimeout(this.zoomTimer);
      this.zoomTimer = setTimeout(() => this.load(), 120);
    }

    // A zoom on steps means nothing on a time axis: another x starts from the whole curve.
    resetIf(form) {
      const axis = form.querySelector("[data-resets-zoom]");
      if (!axis || axis.value === (this.axisValue ?? axis.querySelector("[selected]")?.value ?? axis.options[0].value)) return;
      this.axisValue = axis.value;
      this.range = null;
      this.generation = (this.generation || 0) + 1;
    }

    restyle() {
      if (this.drawn) this.draw(this.figure);
    }

    end() {
      clearTimeout(this.timer);
      charts.delete(this.node);
      watcher.unobserve(this.node);
      if (window.Plotly && this.drawn) window.Plotly.purge(this.node);
    }
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const chart = charts.get(entry.target);
      if (!chart) continue;
      chart.visible = entry.isIntersecting;
      if (entry.isIntersecting && !chart.started) { chart.started = true; chart.load(); }
    }
  }, { rootMargin: "200px" });

  const scan = () => {
    for (const [node, chart] of charts) if (!node.isConnected) chart.end();
    document.querySelectorAll(".chart[data-figure-url]").forEach((node) => {
      if (charts.has(node)) return;
      charts.set(node, new Chart(node));
      watcher.observe(node);
    });
  };

  // <form data-chart-controls="<selector>">: its named fields become parameters of those charts' addresses, at once;
  // the page's own address follows, so that what is on screen can be shared.
  // A field marked data-reload (which metrics there are) is left to the form itself.
  const controls = (form) => {
    const fields = new FormData(form);
    const names = new Set([...form.elements].filter((field) => field.name && field.type !== "hidden" && field.dataset.reload === undefined).map((field) => field.name));
    const apply = (url) => {
      names.forEach((name) => url.searchParams.delete(name));
      for (const [name, value] of fields) if (names.has(name) && value !== "") url.searchParams.append(name, value);
      return url;
    };
    document.querySelectorAll(form.dataset.chartControls).forEach((node) => {
      node.dataset.figureUrl = apply(new URL(node.dataset.figureUrl, location.href)).href;
      const chart = charts.get(node);
      if (!chart || !chart.started) return;
      chart.resetIf(form);
      chart.load();
    });
    if (form.dataset.chartLocal === undefined) history.replaceState(null, "", apply(new URL(location.href)));
  };

  let pending;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || form.dataset.chartControls === undefined || event.target.dataset.reload !== undefined || event.target.dataset.filter) return;
    const output = event.target.id && form.querySelector(`output[for="${event.target.id}"]`);
    if (output) output.textContent = event.target.value;
    clearTimeout(pending);
    pending = setTimeout(() => controls(form), 120);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.chartControls === undefined || event.submitter?.dataset.reload !== undefined) return;
    event.preventDefault();
    controls(event.target);
  });
  document.body.addEventListener("htmx:afterSettle", scan);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.restyle()));
  scan();
})();
