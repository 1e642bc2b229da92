"""Star bursts."""

from advisor.model import Metric

METRIC = Metric(
    name="star_bursts",
    title="Star bursts",
    definition=(
        "Months of the last two years (30 days each, counted back from the as-of date) with an unusual gain "
        "of stars: more than twice the median gain, and more than three robust standard deviations (1.4826 "
        "MAD) above it. The cause is not known: it can be a launch, a new model, a listing or a campaign. "
        "Needs monthly gains of at least eight months."
    ),
    unit="months",
    direction="neither",
    sql="""
    WITH totals AS (
        SELECT repository, value, day, source FROM recent_counts
        WHERE metric = 'stars' AND day > $as_of - CAST($window_days AS INTEGER)
        QUALIFY row_number() OVER (PARTITION BY repository, date_diff('day', day, $as_of) // 30 ORDER BY day DESC, source) = 1
    ),
    steps AS (
        SELECT repository, day, source, (value - lag(value) OVER w) * 30.44 / date_diff('day', lag(day) OVER w, day) AS gain
        FROM totals WINDOW w AS (PARTITION BY repository ORDER BY day)
    ),
    medians AS (SELECT repository, median(gain) AS median_gain FROM steps WHERE gain IS NOT NULL GROUP BY repository),
    spreads AS (
        SELECT s.repository, any_value(median_gain) AS median_gain, median(abs(gain - median_gain)) AS mad, count(*) AS n
        FROM steps AS s JOIN medians AS m ON s.repository = m.repository WHERE gain IS NOT NULL GROUP BY s.repository
    )
    SELECT s.repository, CASE WHEN any_value(n) >= 8 THEN count(*) FILTER (gain > 2 * median_gain AND gain > median_gain + 3 * 1.4826 * mad) END AS value,
           value AS low, value AS high, any_value(n) AS n, least(1, any_value(n) / 24.0) AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
           CASE WHEN any_value(n) < 8 THEN 'the gain of stars is known for only ' || any_value(n) || ' months; 8 are needed' END AS reason
    FROM steps AS s JOIN spreads AS p ON s.repository = p.repository WHERE gain IS NOT NULL GROUP BY s.repository
    """,
    needs=("counts",),
    window_days=730,
)
