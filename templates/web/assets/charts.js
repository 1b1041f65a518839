// Draws a host's charts: asks the API for the series, one request for each chart, and lets people zoom by dragging.
// No text is made here: labels come with the page, numbers and times are written by the browser's own rules.
(function () {
  "use strict";

  var root = document.getElementById("charts");
  if (!root || !window.uPlot) return;
  var language = document.documentElement.lang || "en";
  var colours = ["--tblr-azure", "--tblr-green", "--tblr-orange", "--tblr-purple", "--tblr-red", "--tblr-teal", "--tblr-yellow", "--tblr-pink", "--tblr-lime", "--tblr-indigo"];
  var most = 10; // lines in one chart: more cannot be told apart
  var height = 190;
  var out = document.getElementById("zoom-out");
  var zoomed = null; // seconds from and to, while one looks at a part
  // Charts follow the pointer together; what is chosen in one is chosen there only.
  var follows = function (type) { return type === "mousemove" || type === "mouseleave"; };
  var sync = { key: window.uPlot.sync("charts").key, setSeries: false, filters: { pub: follows, sub: follows } };
  var cards = Array.from(root.querySelectorAll(".chart-box")).map(function (box) {
    return { box: box, none: box.parentElement.querySelector(".chart-none"), failed: box.parentElement.querySelector(".chart-failed"), labels: JSON.parse(box.dataset.labels), plot: null, answer: null, asked: 0 };
  });

  // --- numbers -------------------------------------------------------------------------------------------------------
  var plain = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  var percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  function scaled(value, base, names) {
    var step = 0;
    while (Math.abs(value) >= base && step < names.length - 1) { value /= base; step += 1; }
    return plain.format(value) + " " + names[step];
  }
  var units = {
    share: function (value) { return percent.format(value); },
    bytes: function (value) { return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]); },
    bytes_per_second: function (value) { return scaled(value, 1000, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]); },
    celsius: function (value) { return plain.format(value) + " °C"; }
  };
  // Bytes are divided where people divide them.
  var doubles = Array.from({ length: 56 }, function (_, power) { return Math.pow(2, power); });
  function writer(unit) { return units[unit] || function (value) { return plain.format(value); }; }

  // --- times ---------------------------------------------------------------------------------------------------------
  var clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  var day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  var whole = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  function axisTimes(plot, times) {
    var before = "";
    return times.map(function (time) {
      var date = new Date(time * 1000), today = day.format(date), shown = clock.format(date);
      var midnight = date.getHours() === 0 && date.getMinutes() === 0;
      var long = times.length > 1 && times[1] - times[0] >= 86400;
      var text = long || midnight ? today : shown;
      if (text === before) return null;
      before = text;
      return text;
    });
  }

  // --- colours -------------------------------------------------------------------------------------------------------
  // Worked out, as a canvas reads no style sheet's variables.
  function worked(name) {
    var context = document.createElement("canvas").getContext("2d");
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return context.fillStyle;
  }

  // --- what is drawn -------------------------------------------------------------------------------------------------
  // Of a file system its use is drawn, as a share of its size.
  function prepared(card, answer) {
    if (card.box.dataset.name !== "filesystem") return { unit: card.box.dataset.unit, series: answer.series };
    var sizes = {};
    answer.series.forEach(function (one) { if (one.name === "filesystem.size") sizes[one.instance] = one.avg; });
    var series = answer.series.filter(function (one) { return one.name === "filesystem.used" && sizes[one.instance]; }).map(function (one) {
      var size = sizes[one.instance];
      return { name: one.name, instance: one.instance, avg: one.avg.map(function (used, index) { return used === null || !size[index] ? null : used / size[index]; }) };
    });
    return { unit: "share", series: series };
  }

  // The lines that reach highest, when there are more than can be told apart.
  function chosen(series) {
    if (series.length <= most) return series;
    var peak = function (one) { return one.avg.reduce(function (high, value) { return value > high ? value : high; }, 0); };
    return series.slice().sort(function (a, b) { return peak(b) - peak(a); }).slice(0, most);
  }

  function label(card, one) {
    var word = card.labels[one.name] || one.name;
    if (!one.instance) return word;
    return Object.keys(card.labels).length > 1 && card.box.dataset.name !== "filesystem" ? one.instance + " " + word : one.instance;
  }

  function draw(card) {
    if (!card.answer) return;
    var shown = prepared(card, card.answer), series = chosen(shown.series), write = writer(shown.unit);
    card.none.hidden = series.length > 0;
    card.box.hidden = series.length === 0;
    if (card.plot) { card.plot.destroy(); card.plot = null; }
    if (!series.length) return;
    var ink = getComputedStyle(card.none).color;
    var axis = { stroke: ink, font: "11px system-ui", grid: { stroke: "rgba(128, 128, 128, .2)", width: 1 }, ticks: { show: false } };
    var range = span();
    card.plot = new window.uPlot({
      width: Math.max(200, card.box.clientWidth), height: height, padding: [8, 12, 0, 0],
      cursor: { sync: sync, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      legend: { live: true },
      scales: {
        x: { time: true, range: function () { return range; } },
        y: { range: function (plot, low, high) { return shown.unit === "celsius" ? [Math.min(20, Math.floor(low)), Math.max(50, Math.ceil(high * 1.05))] : shown.unit === "share" ? [0, Math.max(0.05, Math.min(1, high * 1.1))] : [0, high > 0 ? high * 1.1 : 1]; } }
      },
      axes: [
        Object.assign({ size: 26, space: 64, values: axisTimes }, axis),
        Object.assign({ size: 70, space: 34, values: function (plot, values) { return values.map(write); } }, shown.unit === "bytes" ? { incrs: doubles } : {}, axis)
      ],
      series: [{ label: root.dataset.time, value: function (plot, time) { return time == null ? "" : whole.format(new Date(time * 1000)); } }].concat(series.map(function (one, index) {
        var colour = worked(colours[index % colours.length]);
        return { label: label(card, one), stroke: colour, width: 1.5, spanGaps: false, points: { show: false }, value: function (plot, value) { return value == null ? "–" : write(value); } };
      })),
      hooks: { setSelect: [function (plot) {
        if (plot.select.width < 4) return;
        var from = plot.posToVal(plot.select.left, "x"), to = plot.posToVal(plot.select.left + plot.select.width, "x");
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (to - from >= 120) look([Math.floor(from), Math.ceil(to)]);
      }] }
    }, [card.answer.times].concat(series.map(function (one) { return one.avg; })), card.box);
    card.plot.over.addEventListener("dblclick", function () { look(null); });
  }

  // --- asking --------------------------------------------------------------------------------------------------------
  function span() {
    if (zoomed) return zoomed;
    var now = Math.floor(Date.now() / 1000);
    return [now - Number(root.dataset.seconds), now];
  }

  function ask(card) {
    var range = span(), turn = ++card.asked;
    var query = new URLSearchParams({
      series: card.box.dataset.series, points: String(Math.max(100, Math.min(600, Math.round(card.box.clientWidth / 2) || 300))),
      from: new Date(range[0] * 1000).toISOString(), to: new Date(range[1] * 1000).toISOString()
    });
    return fetch("/api/v1/hosts/" + root.dataset.host + "/metrics?" + query, { redirect: "error" })
      .then(function (answer) { return answer.ok ? answer.json() : Promise.reject(answer.status); })
      .then(function (answer) {
        if (turn !== card.asked) return; // a newer question is on its way
        card.failed.hidden = true;
        card.answer = answer;
        draw(card);
      })
      .catch(function () { if (turn === card.asked) card.failed.hidden = false; });
  }

  // One after the other: a page must not take a server's places from other people.
  var asking = Promise.resolve();
  function askAll() {
    asking = cards.reduce(function (before, card) { return before.then(function () { return ask(card); }); }, asking);
    asking.then(function () { root.dataset.drawn = "1"; });
  }

  function look(range) {
    zoomed = range;
    out.hidden = !range;
    askAll();
  }

  out.addEventListener("click", function () { look(null); });
  var wide = 0;
  window.addEventListener("resize", function () {
    clearTimeout(wide);
    wide = setTimeout(function () {
      cards.forEach(function (card) { if (card.plot) card.plot.setSize({ width: Math.max(200, card.box.clientWidth), height: height }); });
    }, 100);
  });
  new MutationObserver(function () { cards.forEach(draw); }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  // A minute brings a point; nobody waits for it on a page that is not looked at, or looks at a part of the past.
  setInterval(function () { if (!document.hidden && !zoomed) askAll(); }, 60000);
  askAll();
})();
