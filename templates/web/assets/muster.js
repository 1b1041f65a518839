// Keeps a page fresh: relative times, what the server streams, and the chart. No text is made here.
(function () {
  "use strict";

  // --- relative times ---------------------------------------------------------------------------------------------
  var language = document.documentElement.lang || "en";
  var relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  // Times are the reader's own, and say so.
  var exact = new Intl.DateTimeFormat(language, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZoneName: "short" });
  var zone = (exact.formatToParts(new Date()).find(function (part) { return part.type === "timeZoneName"; }) || { value: "" }).value;
  var clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  var units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function showTimes(within) {
    within.querySelectorAll("[data-zone]").forEach(function (element) { element.textContent = zone; });
    within.querySelectorAll("time[datetime]").forEach(function (element) {
      var then = new Date(element.dateTime);
      element.title = exact.format(then);
      if (element.hasAttribute("data-clock")) {
        element.textContent = clock.format(then);
        return;
      }
      if (element.hasAttribute("data-exact")) {
        element.textContent = exact.format(then);
        return;
      }
      var seconds = Math.round((then - Date.now()) / 1000);
      var unit = units.find(function (candidate) { return Math.abs(seconds) >= candidate[1]; }) || units[3];
      element.textContent = relative.format(Math.trunc(seconds / unit[1]), unit[0]);
    });
  }

  // How long something that goes on has taken: `12 s`, `2:05`, `1:02:03`.
  function showSpans(within) {
    within.querySelectorAll("[data-since]").forEach(function (element) {
      var seconds = Math.max(0, Math.floor((Date.now() - new Date(element.dataset.since)) / 1000));
      var two = function (number) { return String(number).padStart(2, "0"); };
      element.textContent = seconds < 60 ? seconds + " s"
        : seconds < 3600 ? Math.floor(seconds / 60) + ":" + two(seconds % 60)
        : Math.floor(seconds / 3600) + ":" + two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
    });
  }

  // --- fresh rows and parts in place of the old ones -----------------------------------------------------------------
  // What a part says, leaving out how its times are written here.
  function says(element) {
    return element.outerHTML.replace(/(<time\b[^>]*?)(?: title="[^"]*")?([^>]*>)[^<]*/g, "$1$2").replace(/(<span (?:data-since="[^"]*"|[^>]*data-zone="")>)[^<]*/g, "$1").replace(/ class="fresh"/g, "").replace(/(<details\b[^>]*?) open=""/g, "$1");
  }

  // What is put into the page here is made alive as what came with it: searches and filters ask for their part only.
  function enliven(element) {
    if (window.htmx) window.htmx.process(element);
  }

  function renewRows(old, fresh) {
    var known = new Map();
    Array.from(old.children).forEach(function (row) { known.set(row.id, row); });
    Array.from(fresh.children).forEach(function (row, index) {
      var before = known.get(row.id);
      known.delete(row.id);
      var now = before;
      if (!before || says(before) !== says(row)) {
        now = row;
        now.classList.add("fresh");
        if (before) before.replaceWith(now);
      }
      if (old.children[index] !== now) old.insertBefore(now, old.children[index] || null);
      if (now === row) enliven(row);
    });
    known.forEach(function (row) { row.remove(); });
  }

  // What a person has opened stays open, and a list that was scrolled stays where it was.
  function keepPlace(part, fresh) {
    part.querySelectorAll("details[id][open]").forEach(function (opened) {
      var now = fresh.querySelector("#" + opened.id);
      if (now) now.open = true;
    });
    var boxes = fresh.querySelectorAll(".log");
    part.querySelectorAll(".log").forEach(function (box, index) {
      if (boxes[index] && box.scrollTop > 0) boxes[index].dataset.top = box.scrollTop;
    });
  }

  function renew(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    document.querySelectorAll("[data-live-part]").forEach(function (part) {
      var fresh = part.id && page.getElementById(part.id);
      if (!fresh) return;
      if (part.hasAttribute("data-live-rows")) renewRows(part, fresh);
      else if (says(part) !== says(fresh) && !part.contains(document.activeElement)) {
        keepPlace(part, fresh);
        part.replaceWith(fresh);
        fresh.querySelectorAll("[data-top]").forEach(function (box) { box.scrollTop = Number(box.dataset.top); box.removeAttribute("data-top"); });
        enliven(fresh);
      }
    });
    showLamp();
    showTimes(document);
    showSpans(document);
    drawCharts();
  }

  // --- the stream --------------------------------------------------------------------------------------------------
  var subject = document.body.dataset.live;
  var shortest = 1500; // milliseconds between two refreshes
  var wanted = false, busy = false, last = 0;

  function refresh() {
    if (!wanted || busy || document.hidden) return;
    var wait = last + shortest - Date.now();
    if (wait > 0) { setTimeout(refresh, wait); return; }
    wanted = false;
    busy = true;
    last = Date.now();
    fetch(location.href, { headers: { "X-Live": "1" }, redirect: "error" })
      .then(function (answer) { return answer.ok ? answer.text() : Promise.reject(answer.status); })
      .then(renew)
      .catch(function () { /* the next change tries again */ })
      .then(function () { busy = false; refresh(); });
  }

  function concerns(change) {
    if (subject === "hosts") return change.many || change.hosts.length > 0;
    if (subject === "dhcp") return change.leases;
    if (subject === "installs") return change.many || change.installs.length > 0 || change.hosts.length > 0;
    return change.many || change.hosts.indexOf(subject) >= 0 || change.installs.indexOf(subject) >= 0;
  }

  // A page listens while it is looked at: browsers open six connections to one server, and the server gives each user
  // a bounded number of streams. What was missed meanwhile is asked for when it is looked at again.
  var stream = null, missed = false, retry = 0;

  // The lamp is looked for each time: what is put into the page may bring another one.
  function showLamp() {
    var lamp = document.getElementById("live");
    if (lamp) lamp.hidden = !stream || stream.readyState !== EventSource.OPEN;
  }

  function listen() {
    clearTimeout(retry);
    if (stream || document.hidden) return;
    stream = new EventSource("/events/stream");
    stream.onopen = function () {
      showLamp();
      if (missed) { missed = false; wanted = true; refresh(); }
    };
    stream.onerror = function () {
      showLamp();
      missed = true;
      // The browser comes again by itself when a stream breaks, but not when it is refused one.
      if (stream.readyState === EventSource.CLOSED) { stream = null; retry = setTimeout(listen, 30000); }
    };
    stream.addEventListener("changed", function (event) {
      if (concerns(JSON.parse(event.data))) { wanted = true; refresh(); }
    });
  }

  function stopListening() {
    clearTimeout(retry);
    if (stream) { stream.close(); stream = null; missed = true; }
  }

  if (subject && window.EventSource) {
    listen();
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) stopListening();
      else { listen(); refresh(); }
    });
    window.addEventListener("pagehide", stopListening);
    window.addEventListener("pageshow", listen);
  }

  // --- the chart ---------------------------------------------------------------------------------------------------
  var plots = new Map();

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // The colour as a canvas reads it, thinned: style sheets may write colours in forms that take no suffix.
  function thin(name) {
    var context = document.createElement("canvas").getContext("2d");
    context.fillStyle = colour(name);
    return /^#[0-9a-f]{6}$/.test(context.fillStyle) ? context.fillStyle + "22" : "transparent";
  }

  var minute = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hour12: false });
  function showMinutes(plot, times) {
    return times.map(function (time) { return minute.format(new Date(time * 1000)); });
  }

  function drawCharts() {
    if (!window.uPlot) return;
    document.querySelectorAll("[data-chart]").forEach(function (box) {
      var data = JSON.parse(box.dataset.chart);
      var theme = document.documentElement.getAttribute("data-bs-theme");
      var before = plots.get(box);
      if (before && before.theme === theme) { before.plot.setData(data); return; }
      if (before) before.plot.destroy();
      var line = function (label, name) {
        return { label: label, stroke: colour(name), fill: thin(name), width: 1.5, points: { show: false } };
      };
      var labels = JSON.parse(box.dataset.labels);
      // As the words above the chart: a colour that is already worked out, which a canvas can read.
      var axis = { stroke: getComputedStyle(box.previousElementSibling || box).color, grid: { show: false }, ticks: { show: false }, font: "11px system-ui" };
      var plot = new window.uPlot({
        width: box.clientWidth, height: 96, padding: [6, 20, 0, 4],
        cursor: { y: false, points: { size: 5 } }, legend: { show: false },
        scales: { y: { range: function (u, low, high) { return [0, Math.max(4, high)]; } } },
        axes: [Object.assign({ size: 22, space: 70, values: showMinutes }, axis), Object.assign({ size: 36, splits: function (u, i, low, high) { return [0, Math.ceil(high / 2), high]; } }, axis)],
        series: [{}, line(labels[0], "--tblr-azure"), line(labels[1], "--tblr-green")]
      }, data, box);
      plots.set(box, { plot: plot, theme: theme });
    });
  }

  window.addEventListener("resize", function () {
    plots.forEach(function (entry, box) { entry.plot.setSize({ width: box.clientWidth, height: 96 }); });
  });
  new MutationObserver(drawCharts).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });

  // --- small things ------------------------------------------------------------------------------------------------
  document.addEventListener("focusin", function (event) {
    if (event.target.matches("[data-select]")) event.target.select();
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach(function (menu) { menu.open = false; });
    var search = document.getElementById("search");
    if (event.key === "/" && search && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  document.addEventListener("htmx:afterSettle", function () { showTimes(document); });
  // In a row that is wider than the screen, where one is stays in sight.
  document.querySelectorAll(".tabs [aria-current], .pills [aria-current]").forEach(function (current) {
    current.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  showTimes(document);
  showSpans(document);
  drawCharts();
  setInterval(function () { showTimes(document); }, 10000);
  setInterval(function () { showSpans(document); }, 1000);
})();
