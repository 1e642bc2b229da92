"""The outlook: how likely is it that a repository sees no more commit within 12 (24) months?

`panel` reads monthly rows, `features` turns a repository's rows up to a day into numbers,
`model` scores them with trees from a readable file, `candidates` makes such rows from our own facts.
"""
