"""The population: the libraries of public lists with their newest figures.

`library` defines the columns. `reading` reads the bundled file by repository, package or
category. Each library has the day and the list that its figures come from.
"""
