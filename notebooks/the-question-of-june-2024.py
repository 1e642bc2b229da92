# %% [markdown]
# # The question of June 2024
#
# On 5 June 2024, someone asks which of five libraries to use to fine-tune an LLM. What does advisor
# recommend with the facts of that day, what happened to the five libraries by July 2026, and what do simpler
# rankings recommend? Every cell runs offline from the bundled snapshot; the tests run this file.

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
# In a notebook, an answer shows itself as a card:

# %%
then

# %% [markdown]
# The same answer on the page (`advisor dashboard --as-of 2024-06-05 --store bundled --png PICTURE`):
#
# ![The page of 5 June 2024: trl a clear choice, with reasons and doubts](the-question-of-june-2024.png)
#
# Some facts of that day are missing: no source has stars and closed issues of most of the five for that day.

# %% [markdown]
# ## What happened to them


# %%
def value(answer: advisor.Recommendation, name: str, metric: str) -> object:
    """Return a measured value of a candidate by its short name."""
    candidate = next(r for r in answer.ranking if r.candidate.name == name)
    return candidate.measurement(metric).value


names = [r.candidate.name for r in then.ranking]
changes = pd.DataFrame(
    {
        "rank then": {r.candidate.name: r.rank for r in then.ranking},
        "commits a year then": {n: value(then, n, "code_changes_commits") for n in names},
        "and now": {n: value(now, n, "code_changes_commits") for n in names},
        "people then": {n: value(then, n, "contributors") for n in names},
        "and now ": {n: value(now, n, "contributors") for n in names},
        "declared status now": {n: value(now, n, "declared_status") for n in names},
        "rank now": {r.candidate.name: "out" if r.excluded else r.rank for r in now.ranking},
    }
)
print(changes.to_string())

# %% [markdown]
# ## What simpler rankings recommend
#
# Each one chooses the candidate with the best value of one metric, if the value is known on that day.

# %%
RANKINGS = {
    "most stars": ("stars", max),
    "highest share of issues closed": ("issues_closed_share", max),
    "highest truck factor": ("truck_factor", max),
    "highest contributor absence factor": ("contributor_absence_factor", max),
    "most commits": ("code_changes_commits", max),
    "most contributors": ("contributors", max),
}
simple_choices = {}
for title, (metric, best) in RANKINGS.items():
    values = {n: v for n in names if isinstance(v := value(then, n, metric), float)}
    simple_choices[title] = firsts = sorted(n for n, v in values.items() if v == best(values.values()))
    print(f"{title}: {' or '.join(firsts)} ({len(values)} of {len(names)} known)")

# %% [markdown]
# ## The outlook of that day

# %%
idle_days = {n: (value(now, n, "days_since_last_commit") or 0) for n in names}
for r in then.ranking:
    chances = ", ".join(
        f"{o.horizon_months} months {o.probability_inactive:.1%} [{o.low:.1%}–{o.high:.1%}]"
        for o in r.outlook
        if o.probability_inactive is not None
    )
    days = idle_days[r.candidate.name]
    print(
        f"{r.candidate.name}: abandoned in {chances or '(it abstains)'}; last commit now {days:.0f} days ago"
    )

# %% [markdown]
# ## Right and wrong
#
# Right: trl, the choice in a tie with axolotl, now has more than three times as many commits a year and is
# second. axolotl has slowed down since. All five had commits in the last year, as the outlook predicted.
#
# Wrong, or missed:
#
# - torchtune was fourth, close behind the third, with a good reason for its many authors. Its owner ended
#   development in 2025. The outlook predicts whether there will be *any* commit, and there were some. It did
#   not predict the owner's decision, and no fact of that day could have shown it.
# - unsloth was last, with a warning that one person made nearly all of the commits. Two years later it is
#   first and has the most commits of the five. The warning was true, but it was right not to exclude
#   unsloth for it. Nobody had its stars and downloads of that day, so its growth was not seen.
#
# The simpler rankings: the truck factor, also called the bus factor, puts torchtune first, the library whose
# development ended. The number of commits puts axolotl first, which has slowed down since. Stars and the
# share of closed issues cannot rank: they are known for one or two of the five.
#
# One question is an anecdote. `advisor backtest` repeats it for many thousands of repositories.
