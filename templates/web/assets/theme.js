// Sets the theme before the first paint: the one chosen in this browser, else the system's.
(function () {
  "use strict";
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try {
      return localStorage.getItem("muster-theme");
    } catch (error) {
      return null; // storage may be forbidden; the system's theme is then right
    }
  }
  function apply() {
    var theme = chosen();
    root.setAttribute("data-bs-theme", theme === "light" || theme === "dark" ? theme : system.matches ? "dark" : "light");
    root.setAttribute("data-theme-choice", theme || "system");
  }
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-theme-set]");
    if (!button) return;
    try {
      localStorage.setItem("muster-theme", button.dataset.themeSet);
    } catch (error) {
      // not remembered, but still applied below where it can be
    }
    apply();
  });
})();
