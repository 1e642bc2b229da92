// The page: controls, what is written anew after each change, views that travel, and the start of it all.
const { element, foreign } = format;
const $ = (id) => document.getElementById(id);
const HEADLINES = {
  clear: "Choose",
  leaning: "Leaning to",
  tie: "A tie. Stay with",
  undecided: "A tie, led by",
  none: "Nothing suitable",
};
const CONFIDENCE = {
  clear: "a clear choice",
  leaning: "leaning, not clear",
  tie: "a tie, decided by the default",
  undecided: "a tie, and no default to decide it",
  none: "every candidate is excluded or unknown",
};
const MOST = 8; // lines of a list before the rest is folded
let data, state, found, writing;

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64),
    bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
  return bytes;
}

async function unpack(id) {
  const stream = new Blob([bytesOf($(id).textContent)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

// When what needs no script is on the screen, so that no script delays it; a hidden page is never painted.
const PATIENCE = 1000; // ms
const painted = () =>
  new Promise((go) => {
    new PerformanceObserver((seen) => {
      if (seen.getEntriesByName("first-contentful-paint").length) go();
    }).observe({ type: "paint", buffered: true });
    setTimeout(go, document.visibilityState === "hidden" ? 0 : PATIENCE);
  });

// Lets the browser answer the hand and paint between two pieces of work.
const breath = () => new Promise((go) => setTimeout(go));

// ---- writing
const items = (texts) => texts.map((text) => element("li", {}, foreign(text)));
const named = (pairs) =>
  pairs.map(([who, text]) => element("li", {}, element("b", {}, foreign(who)), ": ", foreign(text)));
// A long list keeps its tail folded, so that it costs no layout.
function list(id, children) {
  const [shown, folded] = $(id).querySelectorAll("ul"),
    tail = $(id).querySelector("details");
  shown.replaceChildren(...children.slice(0, MOST));
  folded.replaceChildren(...children.slice(MOST));
  tail.hidden = children.length <= MOST;
  tail.querySelector("summary").textContent = `${children.length - MOST} more`;
  $(id).hidden = !children.length;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function writeAnswer() {
  const { choice, certainty } = found;
  const isUndecided = certainty === "tie" && data.candidates[choice.i].repository !== data.default;
  const kind = isUndecided ? "undecided" : certainty;
  $("headline").textContent = HEADLINES[kind];
  $("choice").textContent = choice ? name(choice) : "";
  $("confidence").dataset.certainty = certainty;
  $("confidence-text").textContent = CONFIDENCE[kind];
  $("goal-title").textContent = state.goal ? data.goals[state.goal].title : "weights of your own";
  $("as-of-text").textContent = format.longDay(data.days[state.day]);
  $("as-of-text").setAttribute("datetime", data.days[state.day]);
  $("reasons").replaceChildren(...items(toAddress() ? reasons() : data.reasons));
  $("doubts").replaceChildren(...items(toAddress() ? doubts() : data.doubts));
  $("flips").replaceChildren(...items(flipTexts()));
  list(
    "excluded",
    named(found.rows.filter((r) => r.excluded).map((r) => [name(r), findingsOf(r, "exclude").join("; ")])),
  );
  list(
    "warned",
    named(
      found.rows
        .filter((r) => !r.excluded)
        .flatMap((r) => findingsOf(r, "warn").map((text) => [name(r), text])),
    ),
  );
  list("leaving", items(leaving()));
  const unknown = [...state.chosen]
    .filter((i) => !data.scores[i][state.day])
    .map((i) => [data.candidates[i].repository, `nothing is known of it by ${data.days[state.day]}`]);
  list(
    "missing",
    named([...data.candidates.filter((c) => c.missing).map((c) => [c.repository, c.missing]), ...unknown]),
  );
}

// Thick lines, not rectangles: x1 and x2 are no style, so that a new length costs no restyling.
const HALF_MARK = 0.6;
function stretch(line, from, to) {
  line.setAttribute("x1", from.toFixed(2));
  line.setAttribute("x2", Math.max(from, to).toFixed(2));
}

// First, second, third, later: four lines end to end.
function writeChances(svg, chances) {
  let x = 0;
  svg.querySelectorAll("line:not(.rail)").forEach((part, place) => {
    stretch(part, 100 * x, 100 * (x + (chances[place] ?? 0)));
    x += chances[place] ?? 0;
  });
}

function writeRanking() {
  const body = $("ranking-table").tBodies[0];
  const lines = new Map([...body.rows].map((row) => [Number(row.dataset.candidate), row]));
  const shown = new Set(found.rows.map((r) => r.i));
  for (const [i, row] of lines) if (row.hidden === shown.has(i)) row.hidden = !shown.has(i);
  let next = body.firstElementChild;
  for (const r of found.rows) {
    const row = lines.get(r.i),
      cell = (which) => row.querySelector(`[data-cell="${which}"]`);
    row.classList.toggle("out", r.rank === null);
    put(cell("rank"), r.excluded ? "out" : `${r.rank ?? "?"}`);
    put(cell("score").querySelector("b"), format.score(r.score));
    put(cell("score").querySelector("small"), `${format.whole(r.low)}–${format.whole(r.high)}`);
    const [, range, mark] = row.querySelectorAll("svg.interval line");
    stretch(range, r.low, r.high);
    stretch(mark, (r.score ?? 0) - HALF_MARK, (r.score ?? 0) + HALF_MARK);
    put(cell("wins"), r.rank === null ? "" : format.percent(r.wins));
    writeChances(row.querySelector("svg.chances"), r.chances);
    data.criteria.forEach((c, k) => {
      put(cell(`c-${c.name}`), r.cells[4 * k] === null ? "?" : `${format.whole(100 * r.cells[4 * k])}`);
    });
    put(cell("known"), format.percent(r.coverage));
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
}

function writeControls() {
  $("goal").value = state.goal;
  const shares = engine.normalised(state.weights);
  data.criteria.forEach((c, k) => {
    const slider = document.querySelector(`[data-weight="${CSS.escape(c.name)}"]`);
    if (document.activeElement !== slider) slider.value = format.whole(100 * shares[k]);
    document.querySelector(`[data-share="${CSS.escape(c.name)}"]`).textContent = format.percent(shares[k]);
  });
  $("day").value = state.day;
  $("day").setAttribute("aria-valuetext", format.longDay(data.days[state.day]));
  $("day-text").textContent = format.longDay(data.days[state.day]);
  document.querySelectorAll("#controls [data-candidate]").forEach((box) => {
    box.checked = state.chosen.has(Number(box.dataset.candidate));
  });
}

// Work out and write everything that a change touches; charts follow when the browser is idle.
function update({ keepAddress = false } = {}) {
  found = engine.answer(data, state);
  writeAnswer();
  writeRanking();
  writeControls();
  if (!keepAddress) {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(null, "", `#${toAddress()}`), 150);
  }
  gallery.changed();
}

// ---- views that travel
function view() {
  const rest = atRest();
  return {
    advisor_view: 1,
    domain: data.domain,
    facts: data.facts,
    goal: state.goal || data.goal,
    weights: Object.fromEntries(data.criteria.map((c, k) => [c.name, found.weights[k]])),
    as_of: data.days[state.day],
    requirements: data.requirements,
    candidates:
      state.chosen.size === rest.chosen.size
        ? []
        : [...state.chosen].map((i) => data.candidates[i].repository),
    answer: {
      choice: found.choice ? data.candidates[found.choice.i].repository : null,
      certainty: found.certainty,
      ranking: found.rows.map((r) => ({
        repository: data.candidates[r.i].repository,
        rank: r.rank,
        score: r.score,
        low: r.low,
        high: r.high,
        wins: r.wins,
      })),
    },
  };
}

function listen() {
  document.querySelectorAll("[data-weight]").forEach((slider, k) =>
    slider.addEventListener("input", () => {
      state.goal = "";
      state.weights = withShare(k, Number(slider.value) / 100);
      update();
    }),
  );
  $("goal").addEventListener("change", () => {
    state.goal = $("goal").value;
    if (state.goal) state.weights = goalWeights(state.goal);
    update();
  });
  $("day").addEventListener("input", () => {
    state.day = Number($("day").value);
    update();
  });
  document.querySelectorAll("#controls [data-candidate]").forEach((box) =>
    box.addEventListener("change", () => {
      const i = Number(box.dataset.candidate);
      if (box.checked) state.chosen.add(i);
      else if (state.chosen.size > 1) state.chosen.delete(i);
      else box.checked = true;
      update();
    }),
  );
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    document.activeElement.blur();
    state = atRest();
    update();
  });
  $("export").addEventListener("click", () => {
    tables.save("advisor-view.json", "application/json", `${JSON.stringify(view(), null, 1)}\n`);
    say("Saved: advisor rank --replay advisor-view.json shows it again.");
  });
  $("link").addEventListener("click", async () => {
    history.replaceState(null, "", `#${toAddress()}`);
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is in the clipboard.");
    } catch {
      say("The link is in the address bar.");
    }
  });
  document
    .querySelectorAll("button.csv")
    .forEach((button) =>
      button.addEventListener("click", () =>
        tables.save("ranking.csv", "text/csv", tables.csv($(button.dataset.table))),
      ),
    );
  task.listen();
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) return; // a place on the page, not a view
    state = fromAddress(location.hash.slice(1));
    update({ keepAddress: true });
  });
}

const say = (text) => {
  $("said").textContent = text;
};

async function start() {
  await painted();
  data = JSON.parse(await unpack("data"));
  await breath();
  state = fromAddress(location.hash.slice(1));
  listen();
  document.querySelectorAll("fieldset, button").forEach((control) => {
    control.disabled = false;
  });
  update({ keepAddress: true });
  await gallery.build(data);
  Object.defineProperty(window, "advisor", {
    value: {
      engine,
      sampling,
      data,
      tables,
      charts: gallery,
      get state() {
        return state;
      },
      get found() {
        return found;
      },
      view,
    },
  });
  document.documentElement.dataset.ready = "yes";
}

start();
