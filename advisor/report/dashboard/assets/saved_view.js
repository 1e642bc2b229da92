// The view as `advisor rank --replay` reads it; advisor/cli/saved_view.py has its form.
function view() {
  const defaults = defaultState();
  return {
    advisor_view: 1,
    domain: data.domain,
    facts: data.facts,
    goal: state.goal || state.base,
    weights: Object.fromEntries(data.criteria.map((c, k) => [c.name, answer.weights[k]])),
    as_of: data.days[state.day],
    requirements: data.requirements,
    candidates:
      state.selection.size === defaults.selection.size
        ? []
        : [...state.selection].map((i) => data.candidates[i].repository),
    answer: {
      choice: answer.choice ? data.candidates[answer.choice.i].repository : null,
      certainty: answer.certainty,
      flips: weightFlips(),
      ranking: answer.rows.map((r) => ({
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
