// What the job page decides without a page, tried in a browser by test_browser_job_page.py.
async () => {
  const { Lines, bar, range, scrolled } = await import("./js/loglines.js");
  const { place } = await import("./js/daglayout.js");
  const { careful, hidden, learned } = await import("./js/disclosures.js");
  const dagre = await import("./vendor/dagre.js");

  const held = new Lines();
  held.add([{ number: 998, level: "", text: "a" }, { number: 1000, level: "", text: "c" }], 1000);
  const log = [held.missing(1000, 1000), held.missing(998, 1000), held.missing(1, 2)];
  const scale = bar(1000000, 20, 600);
  const ends = [0, 1e9].map((to) => scrolled(scale, 20, 600, 10, 300, to));

  const port = [{ name: "data", kind: "data" }];
  const names = Array.from({ length: 100 }, (_, n) => `c${n}`);
  const nodes = names.map((name, n) => ({
    name, module: "M", need_run: true, inputs: n ? port : [], outputs: port,
  }));
  const edges = names.slice(1).map((target, n) => ({
    source: names[n >> 1], source_port: "data", target, target_port: "data", kind: "data",
  }));
  const began = performance.now();
  const placed = place({ nodes, edges }, dagre, 200);
  const took = performance.now() - began;
  const boxes = [...placed.nodes.values()];
  const touch = (a, b) => Math.abs(a.x - b.x) < a.w && Math.abs(a.y - b.y) < a.h;
  const overlap = boxes.some((a, n) => boxes.slice(n + 1).some((b) => touch(a, b)));

  const line = (kind, size, reveals, result = "sent") => ({
    component: "c", message: "m", direction: "out", src: "a", dst: "b", kind, reveals, telling: reveals !== "nothing", result, count: 1, size,
  });
  const lines = [
    line("plain", 1, "nothing"), line("plain", 2, "a count"), line("ciphertext", 999997, "whose sum it is"),
    line("plain", 7, "refused", "no such job"),
  ];
  return {
    log, ends, last: scale.last, ranges: ["12", "30-12", "0", "x", ""].map(range),
    took, overlap, edges: placed.edges.length,
    told: learned(lines).map((one) => one.reveals), hidden: careful(hidden(lines.slice(0, 3))), all: careful(1),
  };
};
