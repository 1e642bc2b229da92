"""Recipe coverage."""

from advisor.model import Metric

_METHODS = ("full", "lora", "qlora")

METRIC = Metric(
    name="recipe_coverage",
    title="Recipe coverage",
    label="recent models with a ready-made recipe",
    definition=(
        "Share of the pairs of a tracked model family, whose weights became public in the last two years, and a "
        "method (full, LoRA, QLoRA) for which the library has a ready-made recipe: a configuration, a script, a "
        "notebook or a block of a page that names a model of the family. n is the number of pairs."
    ),
    unit="share",
    direction="more",
    sql=f"""
    WITH families AS (
        SELECT DISTINCT repository, family FROM model_support
        WHERE family_released_on > $as_of - CAST($window_days AS INTEGER)
    ),
    readings AS (
        SELECT repository, list(DISTINCT source) AS sources, min(changed_on) AS first_day, max(changed_on) AS last_day
        FROM recipes GROUP BY repository
    ),
    pairs AS (
        SELECT DISTINCT r.repository, r.family, r.method FROM recipes AS r
        JOIN families AS f ON f.repository = r.repository AND f.family = r.family
        WHERE r.replaced_on IS NULL AND r.method IN {_METHODS}
    ),
    totals AS (SELECT repository, {len(_METHODS)} * count(*) AS n FROM families GROUP BY repository),
    found_pairs AS (SELECT repository, count(*) AS n FROM pairs GROUP BY repository)
    SELECT t.repository, coalesce(p.n, 0) / t.n AS value, value AS low, value AS high, t.n AS n, 1.0 AS evidence_share,
           s.sources AS sources, s.first_day AS first_day, s.last_day AS last_day, NULL AS reason
    FROM totals AS t JOIN readings AS s ON s.repository = t.repository
         LEFT JOIN found_pairs AS p ON p.repository = t.repository
    """,
    needs=("recipes", "model_support"),
    window_days=730,
)
