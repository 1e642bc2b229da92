// The question of the page (goal, weights, day, candidates): its defaults, and how the address holds it.
const defaultState = () => ({
  goal: data.has_own_weights ? "" : data.goal,
  base: data.goal, // the goal that own weights come from
  weights: data.criteria.map((c) => data.weights[c.name]),
  day: data.days.length - 1,
  selection: new Set(data.candidates.map((_, i) => i).filter((i) => data.scores[i].length)),
  compare: null,
});

// The address, without defaults: #goal=…&w=contributors:3,issues:2&as-of=2024-06-30&only=a/b,c/d&compare=a/b,c/d
function toAddress() {
  const parts = new URLSearchParams(questionAddress());
  if (state.compare) parts.set("compare", state.compare.map(shortName).join(","));
  return parts.toString();
}

// The name of a candidate, or its repository if others have the name too.
function shortName(i) {
  const { name, repository } = data.candidates[i];
  return data.candidates.filter((c) => c.name === name).length === 1 && !name.includes(",") ? name : repository;
}

// The part of the address that the answer depends on.
function questionAddress() {
  const defaults = defaultState(),
    parts = new URLSearchParams();
  const goal = state.goal || state.base,
    hasWeights = !state.goal && state.weights.some((w, k) => w !== defaults.weights[k]);
  if (goal !== defaults.base || (state.goal && !defaults.goal)) parts.set("goal", goal);
  if (hasWeights || (!state.goal && (defaults.goal || goal !== defaults.base)))
    parts.set("w", data.criteria.map((c, k) => `${c.name}:${+state.weights[k].toPrecision(4)}`).join(","));
  if (state.day !== defaults.day) parts.set("as-of", data.days[state.day]);
  if (state.selection.size !== defaults.selection.size)
    parts.set("only", [...state.selection].map((i) => data.candidates[i].repository).join(","));
  return parts.toString();
}

// What an address asks for that the page cannot show goes to `gaps`, in words for the reader.
function fromAddress(text) {
  const result = { ...defaultState(), gaps: [] },
    parts = new URLSearchParams(text);
  readGoal(result, parts.get("goal"));
  readWeights(result, parts.get("w"));
  readDay(result, parts.get("as-of"));
  readSelection(result, parts.get("only"));
  readPair(result, parts.get("compare"));
  return result;
}

const quote = (name) => `“${format.short(name, 40)}”`;

function readGoal(result, goal) {
  if (!goal) return;
  if (Object.hasOwn(data.goals, goal))
    Object.assign(result, { goal, base: goal, weights: goalWeights(goal) });
  else result.gaps.push(`the goal ${quote(goal)}`);
}

function readWeights(result, text) {
  if (!text) return;
  const shares = new Map(
    text
      .split(",")
      .map((part) => part.split(":"))
      .map(([name, w]) => [name, Number(w)]),
  );
  const unknown = [...shares.keys()].filter((name) => !data.criteria.some((c) => c.name === name));
  const weights = data.criteria.map((c) => shares.get(c.name) ?? 0);
  const most = Math.max(...weights); // only ratios matter, and the sum of 1e308 and 1e308 is no number
  const isValid = weights.every((w) => Number.isFinite(w) && w >= 0) && most > 0;
  if (isValid) Object.assign(result, { goal: "", weights: engine.normalise(weights.map((w) => w / most)) });
  if (unknown.length) result.gaps.push(`the weights of ${format.join(unknown.map(quote))}`);
  else if (!isValid) result.gaps.push("its weights: they are numbers from 0, and one is more than 0");
}

// A day between two days of the page shows the earlier one.
function readDay(result, text) {
  if (!text) return;
  const exact = data.days.indexOf(text);
  if (exact >= 0) {
    result.day = exact;
    return;
  }
  const time = Date.parse(`${text}T00:00:00Z`),
    isDate = Number.isFinite(time) && new Date(time).toISOString().slice(0, 10) === text;
  const earlier = isDate ? data.days.filter((each) => each < text).length : 0;
  if (earlier) result.day = earlier - 1;
  const [first, last] = [data.days[0], data.days[data.days.length - 1]].map(format.longDay);
  result.gaps.push(
    isDate
      ? `${format.longDay(text)} (it has the end of each month from ${first}, and ${last})`
      : `the date ${quote(text)}`,
  );
}

function readSelection(result, text) {
  if (!text) return;
  const names = text.split(",").filter(Boolean),
    selection = [...result.selection].filter((i) => names.some((each) => findCandidate(each) === i)),
    unknown = names.filter((each) => findCandidate(each) < 0);
  if (selection.length) result.selection = new Set(selection);
  if (unknown.length) result.gaps.push(`facts about ${format.join(unknown.map(quote))}`);
}

function readPair(result, text) {
  if (!text) return;
  const pair = text.split(",").map(findCandidate);
  if (pair.length === 2 && pair.every((i) => i >= 0) && pair[0] !== pair[1]) result.compare = pair;
  else result.gaps.push(`the comparison ${quote(text)}`);
}

// Say what the address asks for that the page does not have, until the reader changes something.
function writeGaps() {
  const { gaps = [] } = state;
  $("gaps").hidden = !gaps.length;
  const text = `The address asks for what this page does not have: ${gaps.join("; ")}. The page shows ${format.longDay(data.days[state.day])}.`;
  $("gaps").replaceChildren(gaps.length ? foreign(text) : "");
}

const findCandidate = (text) =>
  data.candidates.findIndex((c, i) => data.scores[i].length && (c.repository === text || c.name === text));

const goalWeights = (goal) =>
  goal === data.goal && !data.has_own_weights
    ? data.criteria.map((c) => data.weights[c.name])
    : engine.normalise(data.criteria.map((c) => data.goals[goal].weights[c.name] ?? 0));

const describeGoal = () =>
  state.goal ? data.goals[state.goal].title : `your own weights (from ${data.goals[state.base].title})`;

// Return weights in which criterion k has this share and the others keep their ratios. If one slider at 100 %
// left the others at 0, they get the ratios of the goal.
function withShare(k, share) {
  const others = (weights) => weights.reduce((sum, w, j) => (j === k ? sum : sum + w), 0);
  const base = [state.weights, goalWeights(data.goal), data.criteria.map(() => 1)].find(
    (weights) => others(weights) > 0,
  );
  if (!base) return state.weights;
  return base.map((w, j) => (j === k ? share : (w * (1 - share)) / others(base)));
}
