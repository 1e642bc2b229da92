# %% [markdown]
# # Compare your own candidates
#
# Your question is not ours: other libraries, other weights, a rule of your own. A domain is a TOML file,
# a rule is one, and
# an answer is a value that you can take apart. Every cell runs offline; the tests run this file.

# %%
from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

import advisor

pd.set_option("display.width", 120)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Four frameworks, and what counts for us
#
# The facts are those of the bundled snapshot `web-frameworks`; for others, `advisor collect owner/name`
# fills a store and
# `store=` names it. Criteria are named and shared; the weights are ours: we fear a library that rests on
# one person.

# %%
domain = folder / "our-service.toml"
domain.write_text("""
title = "Our service"
question = "Which framework should our service stand on for five years?"
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
title = "not to rest on one person"
weights = { contributors = 3, issues = 1, activity = 2 }
""")
ours = advisor.recommend(str(domain))
print(ours.choice, "-", ours.certainty)
print(ours.to_frame()[["rank", "score", "low", "high", "wins"]].round(2).to_string())

# %% [markdown]
# ## How firm is that?
#
# The answer under ten other mixes of our three criteria. Who is never first needs no further look.

# %%
mixes = [{"contributors": c, "issues": i, "activity": 4 - c - i} for c in range(4) for i in range(4 - c)]
firsts = pd.Series([advisor.recommend(str(domain), weights=mix).ranking[0].candidate.name for mix in mixes]).value_counts()
print(firsts.to_string())

# %% [markdown]
# ## A rule of our own
#
# A line that must not be crossed is no weight but a rule. This one takes the place of the bundled rules.

# %%
rule = folder / "rules.toml"
rule.write_text("""
[[rule]]
id = "rests-on-one"
verdict = "exclude"
when = { name = "top_contributor_share", op = ">", value = 0.5 }
reason = "one person makes {top_contributor_share:.0%} of the commits"
fires = [{ top_contributor_share = 0.7 }]
silent = [{ top_contributor_share = 0.2 }, {}]
""")
ruled = advisor.recommend(str(domain), rules=rule)
excluded = {r.candidate.name: [f.text for f in r.findings] for r in ruled.ranking if r.excluded}
print(excluded)

# %% [markdown]
# ## One number, back to its source

# %%
first = ruled.ranking[0]
share = first.measurement("top_contributor_share")
print(f"{first.candidate.name}: {share.value:.0%} (n {share.n}), {share.first_day} to {share.last_day}")
print("source:", *share.sources)
