// What the page is asked: goal, weights, day, who takes part; at rest, from the address, and back into it.
const atRest = () => ({
  goal: data.goal,
  weights: data.criteria.map((c) => data.weights[c.name]),
  day: data.days.length - 1,
  chosen: new Set(data.candidates.map((_, i) => i).filter((i) => data.scores[i].length)),
});

// The address: #goal=…&w=contributors:3,issues:2&as-of=2024-06-30&only=a/b,c/d; only what differs from rest
function toAddress() {
  const rest = atRest(),
    parts = new URLSearchParams();
  if (state.goal && state.goal !== rest.goal) parts.set("goal", state.goal);
  if (!state.goal)
    parts.set("w", data.criteria.map((c, k) => `${c.name}:${+state.weights[k].toFixed(4)}`).join(","));
  if (state.day !== rest.day) parts.set("as-of", data.days[state.day]);
  if (state.chosen.size !== rest.chosen.size)
    parts.set("only", [...state.chosen].map((i) => data.candidates[i].repository).join(","));
  return parts.toString();
}

function fromAddress(text) {
  const read = atRest(),
    parts = new URLSearchParams(text);
  const goal = parts.get("goal");
  if (goal !== null && Object.hasOwn(data.goals, goal))
    Object.assign(read, { goal, weights: goalWeights(goal) });
  if (parts.has("w")) {
    const given = new Map(
      parts
        .get("w")
        .split(",")
        .map((part) => part.split(":"))
        .map(([name, w]) => [name, Number(w)]),
    );
    const weights = data.criteria.map((c) => given.get(c.name) ?? 0);
    if (weights.every((w) => Number.isFinite(w) && w >= 0) && weights.some((w) => w > 0))
      Object.assign(read, { goal: "", weights });
  }
  const day = data.days.indexOf(parts.get("as-of"));
  if (day >= 0) read.day = day;
  if (parts.has("only")) {
    const names = new Set(parts.get("only").split(","));
    const chosen = [...read.chosen].filter((i) => names.has(data.candidates[i].repository));
    if (chosen.length) read.chosen = new Set(chosen);
  }
  return read;
}

const goalWeights = (goal) =>
  goal === data.goal
    ? data.criteria.map((c) => data.weights[c.name])
    : engine.normalised(data.criteria.map((c) => data.goals[goal].weights[c.name] ?? 0));

// One criterion takes a share of the weight; the others keep their ratios among themselves (those of
// the goal, once a slider at 100 % has left them nothing).
function withShare(k, share) {
  const others = (weights) => weights.reduce((sum, w, j) => (j === k ? sum : sum + w), 0);
  const rest = [state.weights, goalWeights(data.goal), data.criteria.map(() => 1)].find(
    (weights) => others(weights) > 0,
  );
  if (!rest) return state.weights;
  return rest.map((w, j) => (j === k ? share : (w * (1 - share)) / others(rest)));
}
