// Draws how long a strategy's signals took; the same figures stand in the table below.
"use strict";

(() => {
  const REFRESH_MS = 15000;
  const place = document.getElementById("delays");
  if (!place || !window.uPlot) return;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  let drawn = null;
  let data = null;

  const HOURS_24 = 86400;
  const clock = (at) => {
    const text = new Date(at * 1000).toISOString();
    return data[0].at(-1) - data[0][0] > 2 * HOURS_24 ? text.slice(5, 10) : text.slice(11, 16);
  };
  const seconds = (plot, value) => (value === null || value === undefined ? "–" : `${value.toFixed(2)} s`);
  const axis = (extra) => ({
    stroke: () => colour("muted"), font, grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, ...extra,
  });

  const draw = () => {
    if (drawn) drawn.destroy();
    if (!data[0].length) return;
    const known = [...data[1], ...data[2]].filter((value) => value !== null);
    drawn = new uPlot({
      width: place.clientWidth,
      height: 190,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
      cursor: { points: { size: 6 } },
      scales: { y: { range: [0, Math.max(0.5, ...known) * 1.1] } },
      axes: [axis({ space: 70, values: (plot, splits) => splits.map(clock) }), axis({ size: 56, values: (plot, values) => values.map((value) => `${value} s`) })],
      series: [
        { label: "bar (UTC)", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        { label: "published after", stroke: colour("line"), width: 2, value: seconds, points: { show: data[0].length < 60, size: 5 } },
        { label: "seen after", stroke: colour("up"), width: 2, value: seconds, points: { show: data[0].length < 60, size: 5 } },
      ],
    }, data, place);
    place.dataset.bars = String(data[0].length);
  };

  const load = async () => {
    try {
      const answer = await fetch(place.dataset.url);
      if (!answer.ok) return; // the page around it says what is wrong
      const columns = await answer.json();
      data = [columns.times, columns.publish, columns.consume];
      draw();
    } catch {
      // the monitor does not answer; the page says so
    }
  };

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw());
  window.addEventListener("resize", () => data && draw());
  load();
  window.setInterval(load, REFRESH_MS);
})();
