"""The outlook: how likely is it that a repository sees no more commit within 12 (24) months?

`panel` reads monthly rows, `features` names and `compute` makes numbers of a repository's rows up to a
day, `model` scores them with trees from a readable file, `candidates` makes such rows from our own facts.
"""
