// The page: its controls, the texts that follow each change, saved views, and the start.
const { element, foreign } = format;
const $ = (id) => document.getElementById(id);
const HEADLINES = {
  clear: "Choose",
  leaning: "Leaning to",
  tie: "A tie. By default",
  undecided: "A tie, led by",
  only: "No comparison, only",
  none: "Nothing suitable",
};
const CONFIDENCE = {
  clear: "a clear choice",
  leaning: "leaning, not clear",
  tie: "a tie, decided by the default",
  undecided: "a tie; it has the highest score",
  only: "no comparison: it is the only candidate left",
  none: "every candidate is excluded or has too little data",
};
const MAX_ITEMS = 8; // of a list before the rest is folded
const SPEECH_DELAY = 1000; // ms: a screen reader hears the answer once the user pauses
const REST_DELAY = 100; // ms: what is out of view follows once the user pauses
let data, state, answer, addressTimer, speechTimer, restTimer;
let writeRest = null; // what is still to write for this answer

// Let the browser handle input and paint between two pieces of work.
const pause = () => new Promise((resolve) => setTimeout(resolve));

// ---- the texts
const items = (texts) => texts.map((text) => element("li", {}, foreign(text)));
const namedItems = (pairs) =>
  pairs.map(([name, text]) => element("li", {}, element("b", {}, foreign(name)), ": ", foreign(text)));
// The tail of a long list is folded, so that it costs no layout.
function writeList(id, children, most = MAX_ITEMS) {
  const [head, rest] = $(id).querySelectorAll("ul"),
    tail = $(id).querySelector("details");
  head.replaceChildren(...children.slice(0, most));
  rest.replaceChildren(...children.slice(most));
  tail.hidden = children.length <= most;
  tail.querySelector("summary").textContent = `${children.length - most} more`;
  $(id).hidden = !children.length;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function writeAnswer() {
  const { choice, certainty } = answer;
  const isUndecided = certainty === "tie" && data.candidates[choice.i].repository !== data.default;
  const kind = isUndecided ? "undecided" : certainty;
  $("headline").textContent = HEADLINES[kind];
  $("choice").textContent = choice ? name(choice) : "";
  $("confidence").dataset.certainty = certainty;
  $("confidence-text").textContent = CONFIDENCE[kind];
  $("goal-title").textContent = describeGoal();
  $("as-of-text").textContent = format.longDay(data.days[state.day]);
  $("as-of-text").setAttribute("datetime", data.days[state.day]);
  writeList("reasons", items(questionAddress() ? reasons() : data.reasons), firstScreen.MOST.reasons);
  writeList("doubts", items(questionAddress() ? doubts() : data.doubts), firstScreen.MOST.doubts);
  $("flips-title").textContent = flipsTitle();
  writeList("flips", items(flipTexts()), firstScreen.MOST.flips);
  firstScreen.write(answer);
  document.title = `${$("choice").textContent || $("headline").textContent} · ${data.title}, ${data.days[state.day]}`;
}

// The lists below the ranking.
function writeAsides() {
  writeList(
    "exclusions",
    namedItems(
      answer.rows.filter((r) => r.excluded).map((r) => [name(r), findingsOf(r, "exclude").join("; ")]),
    ),
  );
  writeList(
    "warnings",
    namedItems(
      answer.rows
        .filter((r) => !r.excluded)
        .flatMap((r) => findingsOf(r, "warn").map((text) => [name(r), text])),
    ),
  );
  writeList("alternatives", items(alternatives()));
  const gaps = [...state.selection]
    .filter((i) => !data.scores[i][state.day])
    .map((i) => [data.candidates[i].repository, `no data by ${data.days[state.day]}`]);
  const unknown = answer.rows
    .filter((r) => r.score === null && !r.excluded)
    .map((r) => [
      data.candidates[r.i].repository,
      `not enough data: ${format.percent(r.coverage)} of the weight is known, and a rank needs half of it`,
    ]);
  const missing = data.candidates.filter((c) => c.missing).map((c) => [c.repository, c.missing]);
  writeList("missing", namedItems([...unknown, ...missing, ...gaps]));
}

function writeControls() {
  $("goal").value = state.goal;
  const shares = engine.normalise(state.weights);
  data.criteria.forEach((c, k) => {
    const slider = document.querySelector(`[data-weight="${CSS.escape(c.name)}"]`);
    if (document.activeElement !== slider) slider.value = format.whole(100 * shares[k]);
    document.querySelector(`[data-share="${CSS.escape(c.name)}"]`).textContent = format.percent(shares[k]);
  });
  $("day").value = state.day;
  $("day").setAttribute("aria-valuetext", format.longDay(data.days[state.day]));
  $("day-text").textContent = format.longDay(data.days[state.day]);
  document.querySelectorAll("#controls [data-candidate]").forEach((box) => {
    box.checked = state.selection.has(Number(box.dataset.candidate));
  });
}

// Compare two candidates head to head; of the same candidate twice, nothing changes.
function showPair(pair) {
  if (pair[0] !== pair[1]) state.compare = pair;
  update();
}

// Move to the first day of the slider that is not before this one.
function showDay(iso) {
  const day = data.days.findIndex((each) => each >= iso);
  state.day = day < 0 ? data.days.length - 1 : day;
  update();
}

// Put the view in the address. Each pause is a step that Back undoes.
function remember() {
  const address = `#${toAddress()}`;
  if (address !== (location.hash || "#")) history.pushState(null, "", address);
}

// The age of the facts, which only the reader's clock knows.
const OLD = 30; // days
function writeAge() {
  const last = data.days[data.days.length - 1],
    age = format.daysBetween(last, new Date().toISOString().slice(0, 10));
  if (age < 1) return;
  const advice = age > OLD ? [". For newer facts: ", element("code", {}, data.refresh)] : [];
  $("age").replaceChildren(`The facts are ${age} ${age === 1 ? "day" : "days"} old`, ...advice);
}

// Write what was out of view when the answer changed.
function finish() {
  clearTimeout(restTimer);
  const write = writeRest;
  writeRest = null;
  write?.();
}

// Compute the answer and write the texts that depend on it. What is out of view and the charts follow when the
// browser is idle.
function update({ keepAddress = false } = {}) {
  const inView = countRowsInView();
  if (!keepAddress) delete state.gaps;
  answer = engine.recommend(data, state);
  writeAnswer();
  const writeOtherRows = writeRanking(inView);
  writeControls();
  writeGaps();
  writeRest = () => {
    writeOtherRows();
    writeAsides();
  };
  clearTimeout(restTimer);
  if (data.candidates.length > FEW) restTimer = setTimeout(finish, REST_DELAY);
  else finish();
  if (!keepAddress) {
    clearTimeout(addressTimer);
    addressTimer = setTimeout(remember, 150);
  }
  clearTimeout(speechTimer);
  speechTimer = setTimeout(() => setText($("spoken"), firstScreen.sentence(answer)), SPEECH_DELAY);
  gallery.refresh();
}

function listen() {
  document.querySelectorAll("[data-weight]").forEach((slider, k) =>
    slider.addEventListener("input", () => {
      state.base = state.goal || state.base;
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
      if (box.checked) state.selection.add(i);
      else if (state.selection.size > 1) state.selection.delete(i);
      else box.checked = true;
      update();
    }),
  );
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    document.activeElement.blur();
    state = defaultState();
    update();
  });
  $("export").addEventListener("click", () => {
    tables.save("advisor-view.json", "application/json", `${JSON.stringify(view(), null, 1)}\n`);
    setStatus("Saved. To see this view again: advisor rank --replay advisor-view.json");
  });
  $("link").addEventListener("click", async () => {
    remember();
    // A path of this computer opens nothing on another one.
    const hint =
      location.protocol === "file:"
        ? " It opens only on this computer. To show others this view, send them the file and the part of the link after “#”."
        : "";
    try {
      await navigator.clipboard.writeText(location.href);
      setStatus(`Copied the link.${hint}`);
    } catch {
      setStatus(`The link is in the address bar.${hint}`);
    }
  });
  document
    .querySelectorAll("button.csv")
    .forEach((button) =>
      button.addEventListener("click", () => {
        finish();
        tables.save("ranking.csv", "text/csv", tables.csv($(button.dataset.table)));
      }),
    );
  task.listen();
  tips.listen(data);
  firstScreen.listen();
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) return; // a section of the page, not a view
    state = fromAddress(location.hash.slice(1));
    update({ keepAddress: true });
  });
}

const setStatus = (text) => {
  $("status").textContent = text;
};

// The page in small steps, between which the browser answers.
function* build() {
  data = pageData.parse(loader.unpack("data"));
  yield;
  state = fromAddress(location.hash.slice(1));
  listen();
  document.querySelectorAll("fieldset, button").forEach((control) => {
    control.disabled = false;
  });
  writeAge();
  update({ keepAddress: true });
  finish();
  clearTimeout(speechTimer); // nothing has changed yet
  yield* gallery.build(data);
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
      get answer() {
        return answer;
      },
      get isWritten() {
        return writeRest === null;
      },
      view,
    },
  });
  document.documentElement.dataset.ready = "yes";
}

// Compute ahead while nobody moves a slider.
function prepare() {
  const work = engine.prepare(data),
    wait = window.requestIdleCallback ?? ((step) => setTimeout(() => step({ timeRemaining: () => 0 }), 50));
  const step = (deadline) => {
    let { done } = work.next();
    while (!done && deadline.timeRemaining() > 5) ({ done } = work.next());
    if (!done) wait(step);
  };
  wait(step);
}

const steps = build();
async function start() {
  while (!steps.next().done) await pause();
  prepare();
}

// Paper gets the whole page, whatever the start has done so far.
loader.actions.beforePrint = () => {
  while (!steps.next().done);
  finish();
  gallery.toPaper();
};
addEventListener("afterprint", () => gallery.fromPaper());
start();
