# %% [markdown]
# # The question of June 2024
#
# On 5 June 2024 somebody asked: with which library do I fine-tune an LLM? Five were in the running. What
# would advisor have said with the facts of that day, what became of the five by July 2026, and what would
# simpler rankings have said? Every cell runs offline from the bundled snapshot; the tests run this file.

# %%
from __future__ import annotations

from datetime import date

import pandas as pd

import advisor

THEN = date(2024, 6, 5)
then = advisor.recommend(as_of=THEN)
now = advisor.recommend()
pd.set_option("display.width", 120)
pd.set_option("display.max_columns", 12)

# %% [markdown]
# ## The answer of that day

# %%
print(f"{THEN}: {then.choice} ({then.certainty})")
for reason in then.reasons:
    print("  +", reason)
for doubt in then.doubts:
    print("  -", doubt)
frame = then.to_frame()[["rank", "score", "low", "high", "coverage", "wins"]]
print(frame.round(2).to_string())

# %% [markdown]
# The same as the page shows it (`advisor dashboard --as-of 2024-06-05 --store bundled --png PICTURE`):
#
# ![The page of 5 June 2024: trl a clear choice, with reasons and doubts](the-question-of-june-2024.png)
#
# What was not known then is not filled in: stars and closed issues of most of the five were in no list yet.

# %% [markdown]
# ## What became of them


# %%
def value(answer: advisor.model.Recommendation, name: str, metric: str) -> object:
    """A measured value of a candidate by its short name."""
    ranked = next(r for r in answer.ranking if r.candidate.name == name)
    return ranked.measurement(metric).value


names = [r.candidate.name for r in then.ranking]
became = pd.DataFrame(
    {
        "rank then": {r.candidate.name: r.rank for r in then.ranking},
        "commits a year then": {n: value(then, n, "code_changes_commits") for n in names},
        "and now": {n: value(now, n, "code_changes_commits") for n in names},
        "people then": {n: value(then, n, "contributors") for n in names},
        "and now ": {n: value(now, n, "contributors") for n in names},
        "says of itself now": {n: value(now, n, "declared_status") for n in names},
        "rank now": {r.candidate.name: "out" if r.excluded else r.rank for r in now.ranking},
    }
)
print(became.to_string())

# %% [markdown]
# ## What simpler rankings would have said
#
# Each takes the best value of one metric among those that were known on that day.

# %%
RANKINGS = {
    "most stars": ("stars", max),
    "highest share of issues closed": ("issues_closed_share", max),
    "highest truck factor": ("truck_factor", max),
    "highest contributor absence factor": ("contributor_absence_factor", max),
    "most commits": ("code_changes_commits", max),
    "most contributors": ("contributors", max),
}
naive = {}
for title, (metric, best) in RANKINGS.items():
    known = {n: v for n in names if isinstance(v := value(then, n, metric), float)}
    chosen = sorted(n for n, v in known.items() if v == best(known.values()))
    naive[title] = chosen
    print(f"{title}: {' or '.join(chosen)} ({len(known)} of {len(names)} known)")

# %% [markdown]
# ## The outlook of that day

# %%
alive = {n: (value(now, n, "days_since_last_commit") or 0) for n in names}
for r in then.ranking:
    said = ", ".join(
        f"{o.horizon_months} months {o.probability_inactive:.1%} [{o.low:.1%}–{o.high:.1%}]"
        for o in r.outlook
        if o.probability_inactive is not None
    )
    days = alive[r.candidate.name]
    print(
        f"{r.candidate.name}: no commit within {said or '(it abstains)'}; last commit now {days:.0f} days ago"
    )

# %% [markdown]
# ## Right and wrong
#
# Right: the choice, trl, has more than three times the commits of then and still comes first. None of the
# five fell silent within 24 months, as the outlook said.
#
# Wrong, or missed:
#
# - torchtune stood third, close behind the second, with a good word for its many authors. It was wound down
#   in 2025. The outlook asks whether there will be *any* commit, and there were some: it did not see an
#   owner's decision coming, and nothing in its facts could have told it.
# - unsloth came last, with a warning that one person made nearly all of the commits. Two years later it is
#   the second and the busiest of the five. The warning was true; the conclusion "do not build on it" would
#   have been too strong, which is why it was a warning and not an exclusion.
#
# The simpler rankings: the truck factor, which most people call the bus factor, would have named torchtune
# first, the one that was given up. Commits would have named axolotl, which has slowed down since. Stars and
# the issue ratio could not have been asked: they were known of one or two of the five.
#
# One question is an anecdote. `advisor backtest` asks many thousands.
