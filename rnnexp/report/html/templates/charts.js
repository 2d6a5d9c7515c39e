// Charts are drawn when they come near the window, all of them before printing, and anew when the colours change.
const figures = JSON.parse(document.querySelector("#figures").textContent);
const plots = [...document.querySelectorAll(".plot")];
const clips = figures.some(figure => figure.data.some(trace => trace.meta === "clipped"));
const root = document.documentElement;
const night = matchMedia("(prefers-color-scheme: dark)");
const touched = matchMedia("(pointer: coarse)").matches; // where a finger that draws a frame could not scroll

const LOOKS = {
  start: ink => ({name: "before training", line: {color: ink("start"), width: 1.6}}),
  end: ink => ({name: "at the end", line: {color: ink("end"), width: 2}}),
  loss: ink => ({name: "training", line: {color: ink("end"), width: 1.6}}),
  theory: ink => ({name: "mean field", line: {color: ink("theory"), dash: "6px,3px", width: 1.6}}),
  bound: ink => ({name: "bound", line: {color: ink("bound"), dash: "2px,3px", width: 1.6}}),
  floor: ink => ({name: "best constant", line: {color: ink("ink"), dash: "5px,3px", width: 1.1}}),
  error: ink => ({name: "trained network", mode: "lines+markers", line: {color: ink("end"), width: 2}, marker: {size: 6}}),
  criterion: ink => ({name: "criterion", line: {color: ink("theory"), dash: "6px,3px", width: 1.6}}),
  trained: ink => ({name: "lengths of training", mode: "lines+markers", hoverinfo: "skip", line: {color: ink("start"), width: 4},
    marker: {size: 4}}),
  validation: ink => ({name: "validation", mode: "markers", cliponaxis: false, hovertemplate: "%{text}",
    marker: {color: ink("start"), symbol: "diamond", size: 7, line: {color: ink("paper"), width: 1}}}),
  diverged: ink => ({name: "diverged", mode: "markers", cliponaxis: false, hovertemplate: "last loss %{text}",
    marker: {symbol: "x-thin", size: 8, line: {color: ink("diverged"), width: 2.4}}}),
  clipped: ink => ({name: "clipped", type: "bar", yaxis: "y2", hovertemplate: "%{y:.0%}",
    marker: {color: ink("bound"), line: {width: 0}}}),
};
const TITLES = {
  profile: ["lag T − t (steps)", "log₁₀ ‖∂ℓ/∂h<sub>t</sub>‖ / ‖∂ℓ/∂h<sub>T</sub>‖", "lag %{x}"],
  loss: ["training step", "loss", "step %{x}"],
  lengths: ["length of the sequences", "error", "length %{x}"],
};

function dressed(trace, ink) {
  const shown = trace.customdata ? "%{y:.3g} [%{customdata[0]:.3g}, %{customdata[1]:.3g}]" : "%{y:.3g}";
  return {mode: "lines", hovertemplate: shown, ...trace, ...LOOKS[trace.meta](ink)};
}

// The range over seeds as an area, around the points where it is finite.
function area(trace, ink) {
  const points = trace.customdata.map(([low, high], i) => [trace.x ? trace.x[i] : trace.x0 + i * trace.dx, low, high]).filter(point => point[1] !== null);
  const back = [...points].reverse();
  return {mode: "lines", fill: "toself", hoverinfo: "skip", opacity: .22, line: {width: 0},
    fillcolor: LOOKS[trace.meta](ink).line.color,
    x: [...points, ...back].map(point => point[0]),
    y: [...points.map(point => point[1]), ...back.map(point => point[2])]};
}

function layout(figure, ink) {
  const [across, up, place] = TITLES[figure.kind];
  const axis = {gridcolor: ink("rule"), linecolor: ink("muted"), zeroline: false, nticks: 6, exponentformat: "power", showline: true,
    tickfont: {size: 11}};
  const title = text => ({text, font: {size: 11, color: ink("muted")}, standoff: 6});
  const room = figure.kind === "loss" && clips ? .15 : 0;
  return {
    margin: {l: 52, r: 8, t: 8, b: 38}, showlegend: false, bargap: 0, uirevision: "kept",
    font: {family: getComputedStyle(document.body).fontFamily, size: 11, color: ink("ink")},
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    dragmode: touched ? false : "zoom", hovermode: "x unified",
    hoverlabel: {bgcolor: ink("wash"), bordercolor: ink("rule"), font: {size: 11, color: ink("ink")}},
    xaxis: {...axis, ...(figure.kind === "lengths" && {type: "log", tickformat: ",d", nticks: 4}), range: figure.x, showgrid: false, title: title(across), separatethousands: true,
      unifiedhovertitle: {text: place}},
    yaxis: {...axis, ...figure.y, ...(figure.y.type === "log" && {tickformat: ".1~g"}), ...(figure.kind === "lengths" && {tickformat: ".0%"}), domain: [0, 1 - room], title: title(up)},
    yaxis2: {domain: room ? [1 - .8 * room, 1] : [0, 1], range: [0, 1], fixedrange: true, visible: false},
  };
}

function draw(plot) {
  const style = getComputedStyle(root), ink = name => style.getPropertyValue(`--${name}`).trim();
  const figure = figures[plot.dataset.figure];
  const areas = figure.data.filter(trace => trace.customdata).map(trace => area(trace, ink));
  Plotly.react(plot, [...areas, ...figure.data.map(trace => dressed(trace, ink))], layout(figure, ink),
    {responsive: true, displaylogo: false, modeBarButtons: [["toImage"]], doubleClick: "reset",
      toImageButtonOptions: {format: "svg", filename: `${figure.kind} ${plot.previousElementSibling.firstChild.textContent}`}});
}

const near = new IntersectionObserver(entries => {
  for (const {target} of entries.filter(entry => entry.isIntersecting)) { near.unobserve(target); draw(target); }
}, {rootMargin: "600px"});
plots.forEach(plot => near.observe(plot));

const drawn = () => plots.filter(plot => plot.data);
night.addEventListener("change", () => drawn().forEach(draw));

// On paper a drawing keeps its shape and takes the width of its column.
addEventListener("beforeprint", () => {
  root.classList.add("paper");
  for (const plot of plots) {
    draw(plot);
    for (const svg of plot.querySelectorAll(".main-svg")) svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
  }
});
addEventListener("afterprint", () => {
  root.classList.remove("paper");
  for (const svg of document.querySelectorAll(".main-svg")) svg.removeAttribute("viewBox");
  drawn().forEach(draw);
});
