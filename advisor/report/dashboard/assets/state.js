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

function fromAddress(text) {
  const result = defaultState(),
    parts = new URLSearchParams(text);
  const goal = parts.get("goal");
  if (goal !== null && Object.hasOwn(data.goals, goal))
    Object.assign(result, { goal, base: goal, weights: goalWeights(goal) });
  if (parts.has("w")) {
    const shares = new Map(
      parts
        .get("w")
        .split(",")
        .map((part) => part.split(":"))
        .map(([name, w]) => [name, Number(w)]),
    );
    const weights = data.criteria.map((c) => shares.get(c.name) ?? 0);
    const most = Math.max(...weights); // only ratios matter, and the sum of 1e308 and 1e308 is no number
    if (weights.every((w) => Number.isFinite(w) && w >= 0) && most > 0)
      Object.assign(result, { goal: "", weights: engine.normalise(weights.map((w) => w / most)) });
  }
  const day = data.days.indexOf(parts.get("as-of"));
  if (day >= 0) result.day = day;
  if (parts.has("only")) {
    const chosen = new Set(parts.get("only").split(",").map(findCandidate));
    const selection = [...result.selection].filter((i) => chosen.has(i));
    if (selection.length) result.selection = new Set(selection);
  }
  const pair = (parts.get("compare") ?? "").split(",").map(findCandidate);
  if (pair.length === 2 && pair.every((i) => i >= 0) && pair[0] !== pair[1]) result.compare = pair;
  return result;
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
