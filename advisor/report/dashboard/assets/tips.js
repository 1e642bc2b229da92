// Definitions beside a term while the pointer or the focus is on it; Escape closes.
const tips = (() => {
  const { element } = format;
  const GAP = 6; // px
  const definitions = new WeakMap();
  let term = null; // whose definition shows

  // A metric's title that shows its definition.
  function metric(data, name) {
    const about = data.metrics[name];
    if (!about) return format.foreign(name);
    const node = element("span", { class: "term", tabindex: "0" }, about.title);
    define(node, `${about.definition} Unit: ${about.unit}.`);
    return node;
  }

  function define(node, text) {
    definitions.set(node, text);
    node.setAttribute("aria-describedby", "tip");
  }

  function show(node) {
    term = node;
    const tip = $("tip"),
      box = node.getBoundingClientRect();
    tip.textContent = definitions.get(node);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const isBelow = box.bottom + GAP + height <= innerHeight;
    tip.style.left = `${Math.max(GAP, Math.min(box.left, innerWidth - width - GAP))}px`;
    tip.style.top = `${isBelow ? box.bottom + GAP : Math.max(GAP, box.top - GAP - height)}px`;
  }

  const hide = () => {
    term = null;
    $("tip").hidden = true;
  };

  function listen(data) {
    document.querySelectorAll("[data-criterion]").forEach((node) => {
      const { title, metrics } = data.criteria[Number(node.dataset.criterion)];
      const titles = metrics.map((name) => data.metrics[name]?.title ?? name);
      define(node, `${title}: ${titles.join(", ")}.`);
    });
    for (const start of ["mouseover", "focusin"])
      document.addEventListener(start, ({ type, target }) => {
        const node = target.closest?.(".term, [data-criterion]");
        if (node && definitions.has(node)) show(node);
        // A focus may scroll the page under a pointer that rests; that hides nothing.
        else if (type === "focusin" || term !== document.activeElement) hide();
      });
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") hide();
    });
    // The tip stays with its term: a focus that scrolls the page would otherwise hide it.
    addEventListener("scroll", () => term && show(term), { passive: true, capture: true });
  }

  return { metric, listen };
})();
