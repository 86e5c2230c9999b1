// Draws candles with signals and fills; the same figures stand in the table below.
"use strict";

(() => {
  const REFRESH_MS = 15000;
  const place = document.getElementById("candles");
  if (!place || !window.LightweightCharts) return;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const chart = LightweightCharts.createChart(place, {
    autoSize: true,
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false },
    layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily },
  });
  const candles = chart.addSeries(LightweightCharts.CandlestickSeries, {});
  const volumes = chart.addSeries(LightweightCharts.HistogramSeries, {
    priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
  });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
  const markers = LightweightCharts.createSeriesMarkers(candles, []);
  let marks = [];

  const paint = () => {
    chart.applyOptions({
      layout: { background: { color: colour("card") }, textColor: colour("muted") },
      grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
    });
    candles.applyOptions({
      upColor: colour("up"), wickUpColor: colour("up"), downColor: colour("down"), wickDownColor: colour("down"),
      borderVisible: false,
    });
    volumes.applyOptions({ color: colour("grid") });
    markers.setMarkers(marks.map((mark, index) => ({
      id: String(index),
      time: mark.time,
      position: mark.kind === "fill" ? "inBar" : mark.buys ? "belowBar" : "aboveBar",
      shape: mark.kind === "fill" ? "circle" : mark.buys ? "arrowUp" : "arrowDown",
      color: mark.kind === "fill" ? colour("fill") : mark.buys ? colour("up") : colour("down"),
      size: mark.kind === "fill" ? 0.7 : 1,
    })));
  };

  const load = async (first) => {
    try {
      const answer = await fetch(place.dataset.url);
      if (!answer.ok) return; // the page around it says what is wrong
      const drawing = await answer.json();
      candles.setData(drawing.candles);
      volumes.setData(drawing.candles.map((bar) => ({ time: bar.time, value: bar.volume })));
      marks = drawing.marks;
      paint();
      const wide = place.clientWidth > 600 ? 90 : 40;
      if (first) chart.timeScale().setVisibleLogicalRange({ from: drawing.candles.length - wide, to: drawing.candles.length + 3 });
      place.dataset.bars = String(drawing.candles.length);
      place.dataset.marks = String(marks.length);
    } catch {
      // the monitor does not answer; the page says so
    }
  };

  chart.subscribeClick((event) => {
    const mark = marks[Number(event.hoveredObjectId)];
    if (event.hoveredObjectId !== undefined && mark) window.location.href = mark.href;
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  paint();
  load(true);
  window.setInterval(() => load(false), REFRESH_MS);
})();
