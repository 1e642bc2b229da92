# %% [markdown]
# # Compare your own candidates
#
# Use advisor for your own question: other libraries, other weights, a rule of your own. A domain is a TOML
# file, rules are a TOML file, and an answer is a Python value. Every cell runs offline; the tests run this
# file.

# %%
from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

import advisor

pd.set_option("display.width", 120)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Four frameworks, and our weights
#
# The facts come from the bundled snapshot `web-frameworks`. For other libraries, `advisor collect
# owner/name` fills a store, and `store=` names it. The criteria are shared by all domains; the weights are
# ours: the most important risk for us is a library that depends on one person.

# %%
domain = folder / "our-service.toml"
domain.write_text("""
title = "Our service"
question = "Which framework should our service use for the next five years?"
snapshot = "web-frameworks"
rules = ["library"]
criteria = ["contributors", "issues", "activity"]
default_goal = "five-years"
candidates = [
  { repository = "fastapi/fastapi" },
  { repository = "Kludex/starlette" },
  { repository = "litestar-org/litestar" },
  { repository = "aio-libs/aiohttp" },
]
[goals.five-years]
title = "not to depend on one person"
weights = { contributors = 3, issues = 1, activity = 2 }
""")
ours = advisor.recommend(str(domain))
print(ours.choice, "-", ours.certainty)
print(ours.to_frame()[["rank", "score", "low", "high", "wins"]].round(2).to_string())
ours

# %% [markdown]
# ## How certain is the answer?
#
# Rank again with ten other weightings of the three criteria. A candidate that is never first is out.

# %%
weightings = [{"contributors": c, "issues": i, "activity": 4 - c - i} for c in range(4) for i in range(4 - c)]
firsts = pd.Series(
    [advisor.recommend(str(domain), weights=weighting).ranking[0].candidate.name for weighting in weightings]
).value_counts()
print(firsts.to_string())

# %% [markdown]
# ## A rule of our own
#
# A rule excludes a candidate whatever its score is. This rule replaces the bundled rules.

# %%
rule = folder / "rules.toml"
rule.write_text("""
[[rule]]
id = "one-person"
verdict = "exclude"
when = { name = "top_contributor_share", op = ">", value = 0.5 }
reason = "one person made {top_contributor_share:.0%} of the commits"
fires = [{ top_contributor_share = 0.7 }]
silent = [{ top_contributor_share = 0.2 }, {}]
""")
with_rule = advisor.recommend(str(domain), rules=rule)
excluded = {r.candidate.name: [f.text for f in r.findings] for r in with_rule.ranking if r.excluded}
print(excluded)

# %% [markdown]
# ## One number and its source

# %%
first = with_rule.ranking[0]
share = first.measurement("top_contributor_share")
print(f"{first.candidate.name}: {share.value:.0%} (n {share.n}), {share.first_day} to {share.last_day}")
print("source:", *share.sources)
