"""The outlook: the chance that a repository has no further commits in the next 12 (24) months.

`panel` reads monthly rows. `features` defines the features of a repository, and `compute` calculates them
from its rows up to a day. `model` predicts from them with the trees of a readable file. `candidates` makes
rows of a panel from our own facts.
"""
