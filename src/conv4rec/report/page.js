"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true };
  const views = [];
  const buttons = [...document.querySelectorAll(".key button")];
  let chosen = null;

  function draw(place) {
    window.vegaEmbed(place, specs[place.dataset.chart], options).then(
      (result) => views.push(result.view),
      (error) => { place.textContent = `This picture could not be drawn: ${error.message}`; },
    );
  }

  function choose(model) {
    chosen = chosen === model ? null : model;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.model === chosen));
    for (const view of views) view.signal("chosen", chosen).runAsync();
  }

  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.model));
  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
})();
