"""How often advice like this turned out right: the outlook against what became of a panel's libraries."""
